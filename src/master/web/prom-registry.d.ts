/** The one part of prom-client that is loaded: the whole of it has figures of its own process too, and takes 10 MB. */
declare module 'prom-client/lib/registry.js' {
  import { Registry } from 'prom-client';
  export default Registry;
}
