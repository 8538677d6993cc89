/** Writes index.html, style.css and app.js into a folder. */
export declare function buildPage(folder: string): Promise<void>;
