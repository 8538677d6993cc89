import { defineConfig, type UserConfig } from 'vite';

const config: UserConfig = defineConfig({
  clearScreen: false,
  server: { port: 1420, strictPort: true },
  // The engine is linked from this repository, which has Tauri's API as well: one copy is enough.
  resolve: { dedupe: ['@tauri-apps/api'] },
  build: {
    target: 'es2023',
    rolldownOptions: { input: ['index.html', 'about.html', 'developer.html'] },
  },
});

export default config;
