/** The same as in package.json (a test holds it): the preload must know it without reading a file. */
export const VERSION = '0.1.0';
