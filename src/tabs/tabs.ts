/** The Tabs port: several engines on one store, as tabs and windows of one app in a browser are. */

/** What engines on one store tell each other by. */
export interface Channel {
  /** Sends a structured-cloneable message to every other engine on the channel, in order. */
  post(message: unknown): void;
  /** Hears and says no more. */
  close(): void;
}

/** What tabs of one site, or processes on one store, have in common. */
export interface Tabs {
  /**
   * Waits for the lock `name`, and calls `onHeld`, later, once no other engine holds it. From then on this engine holds it,
   * until it calls the returned function or dies, or until `onLost` tells that another engine has stolen the lock. Before
   * `onHeld`, the returned function gives up waiting.
   */
  hold(name: string, onHeld: () => void, onLost?: () => void): () => void;
  /** Takes the lock from the engine that holds it, then as `hold`. An engine that is asleep learns of that when it wakes up. */
  steal(name: string, onHeld: () => void, onLost: () => void): () => void;
  /** The channel of that name; `onMessage` hears what others post. */
  join(name: string, onMessage: (message: unknown) => void): Channel;
}
