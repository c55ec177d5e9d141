#!/bin/sh
# Fetch the runtime that tfcnn/export/page puts into a page, as npm has it: LiteRT.js (Apache-2.0).
# It needs npm. The files are kept in the repository, so that a user needs neither npm nor Node.
set -eu
version=2.5.3
target=$(cd "$(dirname "$0")/.." && pwd)/tfcnn/export/page/litert
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
printf '{"private": true}\n' > package.json
npm install --silent --save-exact "@litertjs/core@$version" "@litertjs/wasm-utils@$version"
core=node_modules/@litertjs/core
# the build without relaxed SIMD: every browser has what it takes, and all round alike
cp "$core/wasm/litert_wasm_compat_internal.js" "$target/runtime.js"
gzip -9 -n -c "$core/wasm/litert_wasm_compat_internal.wasm" > "$target/runtime.wasm.gz"
sed '/^\/\/# sourceMappingURL=/d' "$core/dist/index.js" > "$target/core.js"
sed '/^\/\/# sourceMappingURL=/d' node_modules/@litertjs/wasm-utils/dist/index.js > "$target/wasm-utils.js"
cd "$target"
sha256sum core.js runtime.js runtime.wasm.gz wasm-utils.js
