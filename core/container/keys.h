/* Keys in files: one line "fovea-public-key ed25519 HEX NAME" or "fovea-secret-key …". */
#ifndef FOVEA_CONTAINER_KEYS_H
#define FOVEA_CONTAINER_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include <fovea/container.h>

enum { FV_KEY_BYTES = 32, FV_KEY_NAME_SIZE = 64 };

/* A secret key that only its owner may read: the seed of an Ed25519 key, or an encryption key. */
int fv_key_read_secret(const char *path, FvKeyKind kind, uint8_t key[FV_KEY_BYTES], FvError *err);
/* The encryption key that the environment names. */
int fv_key_from_environment(uint8_t key[FV_KEY_BYTES], FvError *err);
/* Is the public key one of those in the directory (NULL: the user's and the system's)? Writes the name in its file. Unreadable directories and files
 * that are no keys hold none. */
bool fv_key_is_trusted(const uint8_t key[FV_KEY_BYTES], const char *directory, char name[FV_KEY_NAME_SIZE]);

#endif
