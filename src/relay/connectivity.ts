/** The Connectivity port: what the platform says of the network. */

export interface Connectivity {
  /** `false`: the platform says that there is no network, which may be wrong. `true` proves nothing. */
  isOnline(): boolean;
  /** `true`: the program is hidden now. Relays are then asked less often whether they are still there. */
  isHidden?(): boolean;
  /** Calls back when that has changed, and whenever connections may have died unnoticed. Returns how to stop. */
  onChange(listener: () => void): () => void;
}
