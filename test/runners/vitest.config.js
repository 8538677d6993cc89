/** Nothing of this package's own lanes. */

export default { test: { globals: true, include: ['*.test.js'] } };
