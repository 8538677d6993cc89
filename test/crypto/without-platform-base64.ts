/** Import first: takes the platform's base64 away where there is one, as in browsers before 2025. */

Reflect.deleteProperty(Uint8Array, 'fromBase64');
Reflect.deleteProperty(Uint8Array.prototype, 'toBase64');
