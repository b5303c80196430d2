// The pinned WebAssembly compiler behind the two switches of the native one that py-solc-x, Brownie, forge and
// Slither use: `--version`, and `--standard-json` with JSON on standard input. Imports are read from the file
// system: as given, then below --base-path (default: the working directory), then below each --include-path.
// A request that says nothing about metadata (Brownie cannot) gets none, so that all tools give the same bytecode.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const solc = require("solc");

function options(name, args) {
  const found = [];
  args.forEach((arg, index) => {
    if (arg === name) found.push(args[index + 1]);
    else if (arg.startsWith(`${name}=`)) found.push(arg.slice(name.length + 1));
  });
  return found;
}

function reader(args) {
  const roots = [options("--base-path", args)[0] ?? ".", ...options("--include-path", args)];
  return (name) => {
    const plain = name.replace(/^file:\/\//, "");
    const candidates = path.isAbsolute(plain) ? [plain] : roots.map((root) => path.join(root, plain));
    const file = candidates.find((candidate) => fs.existsSync(candidate));
    return file ? { contents: fs.readFileSync(file, "utf8") } : { error: `${plain}: no such file` };
  };
}

function withoutMetadata(text) {
  const request = JSON.parse(text);
  request.settings = { metadata: { bytecodeHash: "none", appendCBOR: false }, ...request.settings };
  return JSON.stringify(request);
}

function main(args) {
  if (args.includes("--version")) {
    process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
    return 0;
  }
  if (!args.includes("--standard-json")) {
    process.stderr.write("solc wrapper: only --version and --standard-json are served\n");
    return 1;
  }
  const output = solc.compile(withoutMetadata(fs.readFileSync(0, "utf8")), { import: reader(args) });
  // One synchronous write: exiting while a pipe drains would cut the answer short.
  let rest = Buffer.from(output, "utf8");
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(1, rest));
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
  return 0;
}

process.exitCode = main(process.argv.slice(2));
