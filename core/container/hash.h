/* The hashes of the format: BLAKE2b, 32 bytes, each use with its own personalisation. */
#ifndef FOVEA_CONTAINER_HASH_H
#define FOVEA_CONTAINER_HASH_H

#include <sodium.h>

#include <fovea/error.h>

#include "container/format.h"

/* Call before anything of libsodium. */
int fv_sodium_ready(FvError *err);

/* use: "fovea.leaf", "fovea.node", "fovea.table" or "fovea.root". */
void fv_hash(const char *use, const void *data, size_t size, uint8_t digest[FV_FORMAT_HASH_BYTES]);

/* The hash of a section, chunk by chunk. */
typedef struct FvSectionHash {
  crypto_generichash_blake2b_state nodes;
} FvSectionHash;
void fv_section_hash_init(FvSectionHash *hash);
void fv_section_hash_chunk(FvSectionHash *hash, const void *chunk, size_t size);
void fv_section_hash_end(FvSectionHash *hash, uint8_t digest[FV_FORMAT_HASH_BYTES]);
/* All of it at once, on several threads where it is long. */
void fv_section_hash(const void *data, size_t size, uint8_t digest[FV_FORMAT_HASH_BYTES]);

/* 64 hexadecimal digits and a NUL. */
typedef struct FvHexText {
  char text[2 * FV_FORMAT_HASH_BYTES + 1];
} FvHexText;
FvHexText fv_hex(const uint8_t bytes[FV_FORMAT_HASH_BYTES]);

#endif
