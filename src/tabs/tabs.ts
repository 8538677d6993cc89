/** The Tabs port: several engines on one store, as tabs and windows of one app in a browser are. */

export interface Channel {
  /** Sends a structured-cloneable message to every other engine on the channel, in order. */
  post(message: unknown): void;
  close(): void;
}

export interface Tabs {
  /**
   * Calls `onLead` once no other engine leads `name`; from then on this one does, until it calls the returned function
   * or dies. Before that, the returned function gives up waiting.
   */
  lead(name: string, onLead: () => void): () => void;
  join(name: string, onMessage: (message: unknown) => void): Channel;
}
