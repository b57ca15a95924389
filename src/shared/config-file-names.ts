/** Names under which a folder's config is found, the first one wins. */
export const CONFIG_FILE_NAMES = ['ts', 'mts', 'js', 'mjs', 'cjs', 'json'].map(
  (extension) => `zdsup.config.${extension}`,
);

/** Is this operand of `start` a config and not a script? */
export const isConfigPath = (path: string): boolean => /\.config\.[cm]?[jt]s$|\.json$/.test(path);
