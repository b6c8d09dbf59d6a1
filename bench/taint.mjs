// Texts on stdin (a JSON list); on stdout, for each transformation of CyberChef, its name and each result in base64.
import { register } from "node:module";

// CyberChef's dependencies name some files without their extension, which its install script would mend. Scripts of
// packages are not run here, so the names are completed as they are looked up.
const complete = `export async function resolve(name, context, next) {
    try {
        return await next(name, context);
    } catch (error) {
        for (const end of [".mjs", ".js", "/index.js"]) {
            try {
                return await next(name + end, context);
            } catch {}
        }
        throw error;
    }
}`;
register("data:text/javascript," + encodeURIComponent(complete), import.meta.url);
const chef = await import("./node_modules/cyberchef/src/node/index.mjs"); // which the package does not export by name

const text = JSON.parse(await new Response(process.stdin).text());
const one = (operation, ...given) => async (input) => {
    const dish = await operation(input, ...given);
    return Buffer.from(await dish.get("byteArray"));
};
const transformations = {
    "To Base64": one(chef.toBase64),
    "To Base64, twice": async (input) => one(chef.toBase64)((await one(chef.toBase64)(input)).toString()),
    "To Base32": one(chef.toBase32),
    "To Base58": one(chef.toBase58),
    "To Base85": one(chef.toBase85),
    "To Hex": one(chef.toHex),
    "To Hexdump": one(chef.toHexdump),
    "To Binary": one(chef.toBinary),
    "To Decimal": one(chef.toDecimal),
    "To Octal": one(chef.toOctal),
    "To HTML Entity": one(chef.toHTMLEntity),
    "To Quoted Printable": one(chef.toQuotedPrintable),
    "URL Encode": one(chef.URLEncode, { encodeAllSpecialChars: true }),
    "Escape Unicode": one(chef.escapeUnicodeCharacters, { encodeAllChars: true }),
    Gzip: one(chef.gzip),
    "Zlib Deflate": one(chef.zlibDeflate),
    "Raw Deflate": one(chef.rawDeflate),
    "Bzip2 Compress": one(chef.bzip2Compress),
    "Gzip, To Base64": async (input) => Buffer.from((await one(chef.gzip)(input)).toString("base64")),
    ROT13: one(chef.ROT13),
    ROT47: one(chef.ROT47),
    Reverse: one(chef.reverse),
    "To Upper case": one(chef.toUpperCase),
    "Swap case": one(chef.swapCase),
    "To Morse Code": one(chef.toMorseCode),
    "To Base62": one(chef.toBase62),
    XOR: one(chef.XOR, { key: { option: "Hex", string: "5f" } }),
    "AES Encrypt": one(chef.AESEncrypt, {
        key: { option: "Hex", string: "000102030405060708090a0b0c0d0e0f" },
        iv: { option: "Hex", string: "000102030405060708090a0b0c0d0e0f" },
        mode: "CBC",
        input: "Raw",
        output: "Raw",
    }),
    RC4: one(chef.RC4, { passphrase: { option: "UTF8", string: "secret" } }),
    "To Charcode": one(chef.toCharcode),
    "To Base45": one(chef.toBase45),
    "To Base92": one(chef.toBase92),
    "To Modhex": one(chef.toModhex),
    "To Hex Content": one(chef.toHexContent),
    "UTF-16LE": one(chef.encodeText, { encoding: "UTF-16LE (1200)" }),
    Zip: one(chef.zip),
    Tar: one(chef.tar),
    "Tar, Gzip": async (input) => one(chef.gzip)(await chef.tar(input)),
    "LZMA Compress": one(chef.LZMACompress, { compressionMode: "7" }),
    "LZ4 Compress": one(chef.LZ4Compress),
    "Atbash Cipher": one(chef.atbashCipher),
    "Rail Fence Cipher": one(chef.railFenceCipherEncode),
    "To Braille": one(chef.toBraille),
};
const out = {};
for (const [name, transform] of Object.entries(transformations)) {
    out[name] = [];
    for (const input of text) {
        try {
            out[name].push((await transform(input)).toString("base64"));
        } catch (error) {
            out[name].push(null);
        }
    }
}
process.stdout.write(JSON.stringify(out));
