/** Writes index.html, style.css and app.js into a folder. */
export declare function buildPlayground(folder: string): Promise<void>;
