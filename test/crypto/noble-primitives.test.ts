import './without-platform-base64.ts';
import { noblePrimitives } from '../../src/crypto/noble-primitives.ts';
import { testNip44, testPrimitives } from './conformance.ts';

testPrimitives(noblePrimitives);
testNip44(noblePrimitives);
