import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { testNip44, testPrimitives } from './conformance.ts';

testPrimitives(nodePrimitives);
testNip44(nodePrimitives);
