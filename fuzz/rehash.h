/* Gives a .fovea file hashes that fit its bytes, as far as its header and table can be read, so that what stands behind the hash tree is reached. */
#ifndef FOVEA_FUZZ_REHASH_H
#define FOVEA_FUZZ_REHASH_H

#include "container/hash.h"

static inline void rehash(uint8_t *data, size_t size) {
  if (size < FV_FORMAT_HEADER_BYTES) return;
  uint64_t count = fv_get_u32(data + FV_HEADER_COUNT), bytes = count * FV_FORMAT_ENTRY_BYTES;
  if (count > FV_FORMAT_MAX_SECTIONS || bytes > size - FV_FORMAT_HEADER_BYTES) return;
  for (uint64_t i = 0; i < count; i++) {
    uint8_t *entry = data + FV_FORMAT_HEADER_BYTES + i * FV_FORMAT_ENTRY_BYTES;
    uint64_t offset = fv_get_u64(entry + 16), stored = fv_get_u64(entry + 24);
    if (offset <= size && stored <= size - offset) fv_section_hash(data + offset, (size_t)stored, entry + 48);
  }
  fv_hash("fovea.table", data + FV_FORMAT_HEADER_BYTES, (size_t)bytes, data + FV_HEADER_TABLE_HASH);
  fv_hash("fovea.root", data, FV_HEADER_ROOT, data + FV_HEADER_ROOT);
}

#endif
