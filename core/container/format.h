/* Numbers of the .fovea format; docs/format.md is the definition. */
#ifndef FOVEA_CONTAINER_FORMAT_H
#define FOVEA_CONTAINER_FORMAT_H

#include <stdint.h>
#include <string.h>

#define FV_FORMAT_MAGIC "\x89"      "FOVEA\r\n"
#define FV_FORMAT_MAX_SECTION_BYTES (UINT64_C(4) << 30)

enum {
  FV_FORMAT_VERSION = 2,
  FV_FORMAT_HEADER_BYTES = 256,
  FV_FORMAT_ENTRY_BYTES = 96,
  FV_FORMAT_CHUNK_BYTES = 65536,
  FV_FORMAT_ALIGN = 64,
  FV_FORMAT_MAX_SECTIONS = 16,
  FV_FORMAT_HASH_BYTES = 32,
  FV_FORMAT_MADE_NAME = '#', /* what names begin with that are not stored: "#12" is value 12 */
  FV_FORMAT_SEAL_BYTES = 24 + 16, /* nonce and tag of an encrypted section */
};

/* Places in the header. */
enum {
  FV_HEADER_VERSION = 8, FV_HEADER_FLAGS = 12, FV_HEADER_SIZE = 16, FV_HEADER_COUNT = 24, FV_HEADER_SIGNATURE_KIND = 28, FV_HEADER_TABLE_HASH = 32,
  FV_HEADER_ROOT = 64, FV_HEADER_KEY = 96, FV_HEADER_SIGNATURE = 128, FV_HEADER_RESERVED = 192,
};

typedef enum FvSectionType {
  FV_SECTION_GRAPH = 1, FV_SECTION_WEIGHTS, FV_SECTION_DESCRIPTION, FV_SECTION_PROVENANCE, FV_SECTION_ACCURACY, FV_SECTION_CALIBRATION,
  FV_SECTION_SCORES, FV_SECTION_TYPES
} FvSectionType;

enum { FV_SECTION_ENCRYPTED = 1, FV_SECTION_MUST_UNDERSTAND = 2 };

/* On disk. */
typedef enum FvTensorStorage {
  FV_STORAGE_PLAIN = 0,    /* as they are */
  FV_STORAGE_HALF = 1,     /* f32 as binary16 */
  FV_STORAGE_GRID = 2,     /* f32 as places on the logarithmic grid */
  FV_STORAGE_NARROW = 3,   /* i16, i32, i64 zigzag-coded in fewer bytes */
  FV_STORAGE_CODEBOOK = 4, /* f32 as places in a list */
  FV_STORAGE_SAME = 5,     /* what another tensor has */
  FV_STORAGE_FORMS = 6,
} FvTensorStorage;
typedef enum FvValueKind { FV_VALUE_COMPUTED = 0, FV_VALUE_INPUT, FV_VALUE_CONSTANT } FvValueKind;

static inline uint64_t fv_format_align(uint64_t offset) { return (offset + FV_FORMAT_ALIGN - 1) / FV_FORMAT_ALIGN * FV_FORMAT_ALIGN; }
/* What so many stored bytes may decode to: a small file cannot ask for all memory, nor for minutes. */
static inline uint64_t fv_format_decoded_limit(uint64_t stored) {
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  const uint64_t always = UINT64_C(64) << 10; /* fuzzers find the streams that decode longest, and then nothing else */
#else
  const uint64_t always = UINT64_C(16) << 20;
#endif
  uint64_t limit = always + 256 * stored;
  return limit < FV_FORMAT_MAX_SECTION_BYTES ? limit : FV_FORMAT_MAX_SECTION_BYTES;
}

static inline uint32_t fv_get_u32(const uint8_t *at) { return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24; }
static inline uint64_t fv_get_u64(const uint8_t *at) { return fv_get_u32(at) | (uint64_t)fv_get_u32(at + 4) << 32; }
static inline void fv_set_u32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}
static inline void fv_set_u64(uint8_t *at, uint64_t value) {
  for (int i = 0; i < 8; i++) at[i] = (uint8_t)(value >> 8 * i);
}

#endif
