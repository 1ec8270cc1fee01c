// Sponsored payments as the unmodified TypeScript SDK builds, signs and sponsors them: the wire
// form that decoders of other languages are tested with. Keys, accounts and times are fixed, and
// the keys are nobody's, so the same SDK writes the same bytes.
//
//   npm ci && npm run golden        writes sponsored.golden.json anew

import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import {
    AccountAddress,
    AccountTransactionV1,
    CcdAmount,
    DataBlob,
    SequenceNumber,
    Transaction,
    TransactionExpiry,
    buildAccountSigner,
} from '@concordium/web-sdk';
import {
    Cbor,
    CborAccountAddress,
    CborMemo,
    TokenAmount,
    TokenId,
    TokenOperationType,
} from '@concordium/web-sdk/plt';

export const GOLDEN = fileURLToPath(new URL('sponsored.golden.json', import.meta.url));

/** DER of an Ed25519 key in PKCS #8, up to the key itself. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const accountOf = (byte) => AccountAddress.fromBuffer(new Uint8Array(32).fill(byte).buffer);
const [sender, payee, sponsor] = [1, 2, 3].map(accountOf);

function pair(byte) {
    const seed = Buffer.alloc(32, byte);
    const key = Buffer.concat([PKCS8, seed]);
    const secret = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
    const { x } = createPublicKey(secret).export({ format: 'jwk' });
    return { signKey: hex(seed), verifyKey: hex(Buffer.from(x, 'base64url')) };
}

/** Keys of an account: one credential for each list of bytes, all of whose keys must sign. */
function keysOf(credentials) {
    const of = (bytes) => ({ keys: { ...bytes.map(pair) }, threshold: bytes.length });
    return { keys: { ...credentials.map(of) }, threshold: credentials.length };
}

const one = keysOf([[11]]);
const several = keysOf([[11, 12], [13]]);
const ofSponsor = keysOf([[21]]);

function ccd(memo) {
    const amount = CcdAmount.fromMicroCcd(1_000_000n);
    return Transaction.transfer({ toAddress: payee, amount, memo });
}

function token(memo) {
    const transfer = {
        amount: TokenAmount.create(5_000_000n, 6),
        recipient: CborAccountAddress.fromAccountAddress(payee),
        memo,
    };
    const operations = Cbor.encode([{ [TokenOperationType.Transfer]: transfer }]);
    return Transaction.tokenUpdate({ tokenId: TokenId.fromString('EURR'), operations });
}

/** JSON of what is not JSON: numbers of the SDK are bigints, and what is undefined is left out. */
function plain(value) {
    const small = (_, inner) => (typeof inner === 'bigint' ? Number(inner) : inner);
    return JSON.parse(JSON.stringify(value, small));
}

async function example(name, transaction, keys, signatures) {
    const metadata = {
        sender,
        nonce: SequenceNumber.create(42n),
        expiry: TransactionExpiry.fromEpochSeconds(1_800_000_000n),
    };
    const built = transaction.addMetadata(metadata).addMultiSig(signatures).addSponsor(sponsor);
    const signed = await Transaction.sign(built.build(), buildAccountSigner({ accountKeys: keys }));
    const payload = { signedTransaction: plain(Transaction.toJSON(signed)) };
    const before = Transaction.preFinalized(signed);
    const signer = buildAccountSigner({ accountKeys: ofSponsor });
    const sponsored = Transaction.finalize(await Transaction.sponsor(signed, signer));
    const blockItem = Transaction.serializeBlockItem(sponsored);
    return {
        name,
        payload,
        senderKeys: keys,
        energy: Number(before.header.energyAmount.value),
        digest: hex(AccountTransactionV1.signDigest(before)),
        blockItem: hex(blockItem),
        hash: createHash('sha256').update(blockItem).digest('hex'),
    };
}

/** Everything that the golden file holds. */
export async function golden() {
    const memo = () => new DataBlob(new Uint8Array([0x42, 1, 2]).buffer);
    return {
        about: 'Written by `npm run golden` in tests/conformance/websdk; the keys are nobody\'s.',
        sponsorKeys: ofSponsor,
        examples: [
            await example('transfer', ccd(), one, 1),
            await example('transferWithMemo', ccd(memo()), one, 1),
            await example('tokenUpdate', token(), one, 1),
            await example('tokenUpdate with memo', token(CborMemo.fromString('paid')), one, 1),
            await example('transfer signed by three keys', ccd(), several, 3),
        ],
    };
}

/** The golden file as it is written. */
export async function text() {
    return `${JSON.stringify(await golden(), null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(GOLDEN, await text());
