#!/usr/bin/env python3
"""Writes SPIR-V files into C: embed.py OUT.h OUT.c FILE...; files are called NAME.storage.spv, NAME.texel.spv, and for other forms
NAME.storage.half.spv and so on."""
import pathlib
import struct
import sys

FORMS = ("", ".half", ".narrow", ".widen", ".arithmetic")  # as FvVkForm in core/vulkan/pipeline.h
VARIANTS = [path + form for form in FORMS for path in ("storage", "texel")]


def words(path):
    data = path.read_bytes()
    return struct.unpack(f"<{len(data) // 4}I", data)


def main():
    header, source, *files = sys.argv[1:]
    shaders = {}
    for path in map(pathlib.Path, files):
        name, variant = path.name.removesuffix(".spv").split(".", 1)
        shaders.setdefault(name, {})[variant] = path
    enum = ",\n".join(f"  FV_SHADER_{name.upper()}" for name in shaders)
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
  const uint32_t *words; /* NULL: not built so */
  size_t bytes;
}} FvSpirv;

extern const FvSpirv fv_spirv[FV_SHADER_COUNT][{len(VARIANTS)}]; /* {', '.join(VARIANTS)} */

#endif
""")
    out = ['#include "vulkan/spirv.h"\n']
    table = []
    for name, variants in shaders.items():
        entries = []
        for variant in VARIANTS:
            if variant not in variants:
                entries.append(f'{{"{name}", NULL, 0}}')
                continue
            array = f"{name}_{variant.replace('.', '_')}"
            out.append(f"static const uint32_t {array}[] = {{{','.join(map(str, words(variants[variant])))}}};\n")
            entries.append(f'{{"{name}", {array}, sizeof {array}}}')
        table.append(f"  {{{', '.join(entries)}}},\n")
    out.append(f"const FvSpirv fv_spirv[FV_SHADER_COUNT][{len(VARIANTS)}] = {{\n{''.join(table)}}};\n")
    pathlib.Path(source).write_text("".join(out))


if __name__ == "__main__":
    main()
