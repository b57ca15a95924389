// `node app.cjs`: one process and no supervisor. The baseline; it has no reload.
export const node = {
  id: 'node',
  title: 'plain node',
  processes: 'one process',
  reloadedBy: null,
  clusters: false,
  async start(place) {
    const { pid } = place.launch([place.app]);
    await place.listening(1);
    return { root: pid, stop: () => place.terminate() };
  },
};
