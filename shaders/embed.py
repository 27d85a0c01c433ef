#!/usr/bin/env python3
"""Writes SPIR-V files into C: embed.py OUT.h OUT.c NAME... -- STORAGE.spv TEXEL.spv ... (two files per name, in order)."""
import pathlib
import struct
import sys


def words(path):
    data = pathlib.Path(path).read_bytes()
    return struct.unpack(f"<{len(data) // 4}I", data)


def main():
    header, source, *rest = sys.argv[1:]
    split = rest.index("--")
    names, files = rest[:split], rest[split + 1:]
    enum = ",\n".join(f"  FV_SHADER_{name.upper()}" for name in names)
    pathlib.Path(header).write_text(f"""/* Made by shaders/embed.py from shaders/shaders.list. */
#ifndef FOVEA_VULKAN_SPIRV_H
#define FOVEA_VULKAN_SPIRV_H

#include <stddef.h>
#include <stdint.h>

typedef enum FvVkShader {{
{enum},
  FV_SHADER_COUNT
}} FvVkShader;

typedef struct FvSpirv {{
  const char *name;
  const uint32_t *words;
  size_t bytes;
}} FvSpirv;

extern const FvSpirv fv_spirv[FV_SHADER_COUNT][2]; /* storage, texel */

#endif
""")
    out = ['#include "vulkan/spirv.h"\n']
    for i, name in enumerate(names):
        for path, file in zip(("storage", "texel"), files[2 * i:2 * i + 2]):
            out.append(f"static const uint32_t {name}_{path}[] = {{{','.join(map(str, words(file)))}}};\n")
    out.append("const FvSpirv fv_spirv[FV_SHADER_COUNT][2] = {\n")
    for name in names:
        out.append(f'  {{{{"{name}", {name}_storage, sizeof {name}_storage}}, {{"{name}", {name}_texel, sizeof {name}_texel}}}},\n')
    out.append("};\n")
    pathlib.Path(source).write_text("".join(out))


if __name__ == "__main__":
    main()
