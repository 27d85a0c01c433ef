/* XChaCha20-Poly1305 around one section: nonce, ciphertext, tag. */
#ifndef FOVEA_CONTAINER_SEAL_H
#define FOVEA_CONTAINER_SEAL_H

#include "container/envelope.h"
#include "container/keys.h"

/* Writes section->stored_bytes bytes from the section's coded ones. */
void fv_seal(const FvSection *section, const void *plain, const uint8_t key[FV_KEY_BYTES], uint8_t *sealed);
/* plain has room for stored_bytes - FV_FORMAT_SEAL_BYTES. False: another key, or not what was sealed. */
bool fv_unseal(const FvSection *section, const uint8_t *sealed, const uint8_t key[FV_KEY_BYTES], uint8_t *plain);

#endif
