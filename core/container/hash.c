#include "container/hash.h"

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

void fv_section_hash(const void *data, size_t size, uint8_t digest[FV_FORMAT_HASH_BYTES]) {
  FvSectionHash hash;
  fv_section_hash_init(&hash);
  for (size_t at = 0; at < size; at += FV_FORMAT_CHUNK_BYTES)
    fv_section_hash_chunk(&hash, (const uint8_t *)data + at, size - at < FV_FORMAT_CHUNK_BYTES ? size - at : FV_FORMAT_CHUNK_BYTES);
  fv_section_hash_end(&hash, digest);
}

FvHexText fv_hex(const uint8_t bytes[FV_FORMAT_HASH_BYTES]) {
  FvHexText hex;
  sodium_bin2hex(hex.text, sizeof hex.text, bytes, FV_FORMAT_HASH_BYTES);
  return hex;
}
