// The golden file of sponsored payments is what the SDK of this suite writes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { GOLDEN, text } from './sponsored.mjs';

test('the SDK writes the golden sponsored payments', async () => {
    assert.equal(readFileSync(GOLDEN, 'utf8'), await text());
});
