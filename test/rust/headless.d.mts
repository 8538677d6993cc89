export const HEADLESS: string;
