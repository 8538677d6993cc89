import { defineConfig, type UserConfig } from 'vite';

const config: UserConfig = defineConfig({
  // One React, also if this package is linked from its repository.
  resolve: { dedupe: ['react', 'react-dom'] },
  build: { target: 'es2023' },
});

export default config;
