#include "container/hash.h"

#include "base/threads.h"

enum { BATCH = 64 /* chunks */, PARALLEL_BYTES = 2 * FV_FORMAT_CHUNK_BYTES };

int fv_sodium_ready(FvError *err) { return sodium_init() < 0 ? fv_error_set(err, FV_ERR_DEVICE, "the cryptographic library libsodium cannot be initialised") : 0; }

static void begin(crypto_generichash_blake2b_state *state, const char *use) {
  uint8_t personal[crypto_generichash_blake2b_PERSONALBYTES] = {0};
  memcpy(personal, use, strlen(use));
  crypto_generichash_blake2b_init_salt_personal(state, NULL, 0, FV_FORMAT_HASH_BYTES, NULL, personal);
}

void fv_hash(const char *use, const void *data, size_t size, uint8_t digest[FV_FORMAT_HASH_BYTES]) {
  crypto_generichash_blake2b_state state;
  begin(&state, use);
  crypto_generichash_blake2b_update(&state, data, size);
  crypto_generichash_blake2b_final(&state, digest, FV_FORMAT_HASH_BYTES);
}

void fv_section_hash_init(FvSectionHash *hash) { begin(&hash->nodes, "fovea.node"); }

void fv_section_hash_chunk(FvSectionHash *hash, const void *chunk, size_t size) {
  uint8_t leaf[FV_FORMAT_HASH_BYTES];
  fv_hash("fovea.leaf", chunk, size, leaf);
  crypto_generichash_blake2b_update(&hash->nodes, leaf, sizeof leaf);
}

void fv_section_hash_end(FvSectionHash *hash, uint8_t digest[FV_FORMAT_HASH_BYTES]) {
  crypto_generichash_blake2b_final(&hash->nodes, digest, FV_FORMAT_HASH_BYTES);
}

/* Leaves of a batch of chunks, each a part for a thread. */
typedef struct Batch {
  const uint8_t *data;
  size_t size;
  uint8_t leaves[BATCH][FV_FORMAT_HASH_BYTES];
} Batch;

static void hash_leaf(void *arg, int part) {
  Batch *batch = arg;
  size_t at = (size_t)part * FV_FORMAT_CHUNK_BYTES, left = batch->size - at;
  fv_hash("fovea.leaf", batch->data + at, left < FV_FORMAT_CHUNK_BYTES ? left : FV_FORMAT_CHUNK_BYTES, batch->leaves[part]);
}

void fv_section_hash(const void *data, size_t size, uint8_t digest[FV_FORMAT_HASH_BYTES]) {
  FvSectionHash hash;
  Batch batch;
  fv_section_hash_init(&hash);
  if (size >= PARALLEL_BYTES) fv_pool_reserve_some();
  for (size_t at = 0; at < size; at += batch.size) {
    batch.data = (const uint8_t *)data + at;
    batch.size = size - at < (size_t)BATCH * FV_FORMAT_CHUNK_BYTES ? size - at : (size_t)BATCH * FV_FORMAT_CHUNK_BYTES;
    int parts = (int)((batch.size + FV_FORMAT_CHUNK_BYTES - 1) / FV_FORMAT_CHUNK_BYTES);
    fv_pool_run(parts, hash_leaf, &batch);
    crypto_generichash_blake2b_update(&hash.nodes, batch.leaves[0], (size_t)parts * FV_FORMAT_HASH_BYTES);
  }
  fv_section_hash_end(&hash, digest);
}

FvHexText fv_hex(const uint8_t bytes[FV_FORMAT_HASH_BYTES]) {
  FvHexText hex;
  sodium_bin2hex(hex.text, sizeof hex.text, bytes, FV_FORMAT_HASH_BYTES);
  return hex;
}
