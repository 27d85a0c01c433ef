#include "container/seal.h"

#include <stdlib.h>

#include "container/hash.h"

enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES };

/* A section cannot be passed off as another one. */
typedef struct Bound {
  uint8_t bytes[16];
} Bound;

static Bound bound_to(const FvSection *section) {
  Bound bound;
  fv_set_u32(bound.bytes, section->type);
  fv_set_u32(bound.bytes + 4, section->coder);
  fv_set_u64(bound.bytes + 8, section->decoded_bytes);
  return bound;
}

void fv_seal(const FvSection *section, const void *plain, const uint8_t key[FV_KEY_BYTES], uint8_t *sealed) {
  Bound bound = bound_to(section);
  randombytes_buf(sealed, NONCE);
  crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE, NULL, plain, section->stored_bytes - FV_FORMAT_SEAL_BYTES, bound.bytes, sizeof bound.bytes, NULL,
                                             sealed, key);
}

bool fv_unseal(const FvSection *section, const uint8_t *sealed, const uint8_t key[FV_KEY_BYTES], uint8_t *plain) {
  Bound bound = bound_to(section);
  return crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed + NONCE, section->stored_bytes - NONCE, bound.bytes, sizeof bound.bytes, sealed,
                                                    key) == 0;
}

static int unseal_section(const FvSection *section, const uint8_t *sealed, FvPlain *plain, FvError *err) {
  uint8_t key[FV_KEY_BYTES];
  const char *name = fv_section_name(section->type);
  int result = fv_key_from_environment(key, err);
  if (result < 0) {
    fv_error_prefix(err, "section '%s' is encrypted", name);
    return result;
  }
  plain->size = (size_t)section->stored_bytes - FV_FORMAT_SEAL_BYTES;
  plain->owned = calloc(plain->size + 64, 1); /* readable behind its end, as graph_code.h asks for */
  if (!plain->owned)
    result = fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  else if (!fv_unseal(section, sealed, key, plain->owned))
    result = fv_error_set(err, FV_ERR_CONFIG, "section '%s' cannot be decrypted: it was encrypted with another key", name);
  sodium_memzero(key, sizeof key);
  plain->data = plain->owned;
  return result;
}

/* In place of the coded bytes, which are borrowed or owned. */
static int decode_section(const FvSection *section, FvPlain *plain, FvError *err) {
  size_t size = (size_t)section->decoded_bytes;
  if (size > FV_CODER_MAX_COUNT)
    return fv_error_set(err, FV_ERR_LIMIT, "section '%s' has more than %zu bytes decoded", fv_section_name(section->type), FV_CODER_MAX_COUNT);
  void *decoded = malloc(size + 1);
  int result = decoded ? fv_coder_decode((int)section->coder, plain->data, plain->size, (FvCodeShape){.count = size}, decoded, err)
                       : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  if (result < 0) fv_error_prefix(err, "section '%s'", fv_section_name(section->type));
  free(plain->owned);
  *plain = (FvPlain){decoded, size, decoded};
  return result;
}

int fv_section_open(const FvEnvelope *envelope, const void *file, FvSectionType type, bool optional, FvPlain *plain, FvError *err) {
  const FvSection *section = fv_envelope_find(envelope, type);
  *plain = (FvPlain){0};
  if (!section) return optional ? 0 : fv_error_set(err, FV_ERR_FORMAT, "there is no section '%s'", fv_section_name(type));
  const uint8_t *stored = (const uint8_t *)file + section->offset;
  plain->size = (size_t)section->stored_bytes;
  plain->data = stored;
  int result = section->flags & FV_SECTION_ENCRYPTED ? unseal_section(section, stored, plain, err) : 0;
  if (result == 0 && section->coder) result = decode_section(section, plain, err);
  if (result < 0) {
    free(plain->owned);
    *plain = (FvPlain){0};
  }
  return result;
}
