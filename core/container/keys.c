#include "container/keys.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "container/hash.h"

enum { MAX_KEY_FILE = 1024, MAX_KEYS = 4096, PATH_SIZE = 4096 };

static const char *kind_name(FvKeyKind kind) { return kind == FV_KEY_SIGNING ? "ed25519" : "xchacha20"; }

static bool parse_hex(const char *text, size_t length, uint8_t key[FV_KEY_BYTES]) {
  size_t read = 0;
  return length == 2 * FV_KEY_BYTES && sodium_hex2bin(key, FV_KEY_BYTES, text, length, NULL, &read, NULL) == 0 && read == FV_KEY_BYTES;
}

/* "WORD KIND HEX NAME\n". name may be NULL. */
static bool parse_line(const char *text, const char *word, FvKeyKind kind, uint8_t key[FV_KEY_BYTES], char name[FV_KEY_NAME_SIZE]) {
  char start[64];
  int length = snprintf(start, sizeof start, "%s %s ", word, kind_name(kind));
  if (strncmp(text, start, (size_t)length) != 0) return false;
  text += length;
  size_t digits = strcspn(text, " \n");
  if (!parse_hex(text, digits, key)) return false;
  text += digits;
  if (name) {
    text += *text == ' ';
    snprintf(name, FV_KEY_NAME_SIZE, "%.*s", (int)strcspn(text, "\n"), text);
    fv_text_clean(name);
  }
  return true;
}

int fv_key_read_secret(const char *path, FvKeyKind kind, uint8_t key[FV_KEY_BYTES], FvError *err) {
  struct stat info;
  void *text;
  size_t size;
  int result = fv_file_read(path, MAX_KEY_FILE, &text, &size, err);
  if (result < 0) return result;
  if (stat(path, &info) < 0 || info.st_mode & 077)
    result = fv_error_set(err, FV_ERR_CONFIG, "%s: others than its owner may use this secret key; run chmod 600 on it", path);
  else if (!parse_line(text, "fovea-secret-key", kind, key, NULL))
    result = fv_error_set(err, FV_ERR_FORMAT, "%s: not a secret %s key; make one with fovea keygen%s", path, kind_name(kind),
                          kind == FV_KEY_ENCRYPTION ? " --encryption" : "");
  sodium_memzero(text, size);
  free(text);
  return result;
}

int fv_key_from_environment(uint8_t key[FV_KEY_BYTES], FvError *err) {
  const char *digits = getenv("FOVEA_MODEL_KEY"), *path = getenv("FOVEA_MODEL_KEY_FILE");
  if (digits && *digits)
    return parse_hex(digits, strlen(digits), key) ? 0 : fv_error_set(err, FV_ERR_CONFIG, "FOVEA_MODEL_KEY is not 64 hexadecimal digits");
  if (path && *path) return fv_key_read_secret(path, FV_KEY_ENCRYPTION, key, err);
  return fv_error_set(err, FV_ERR_CONFIG, "no encryption key: name its file in FOVEA_MODEL_KEY_FILE, or give it in FOVEA_MODEL_KEY");
}

static int write_key(const char *stem, const char *ending, const char *word, FvKeyKind kind, const uint8_t *key, FvFileMode mode, FvError *err) {
  const char *slash = strrchr(stem, '/');
  char *path = NULL, *line = NULL;
  int result = fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  FvHexText hex = fv_hex(key);
  int length = asprintf(&line, "%s %s %s %.40s\n", word, kind_name(kind), hex.text, slash ? slash + 1 : stem);
  if (length >= 0 && asprintf(&path, "%s%s", stem, ending) >= 0) result = fv_file_write(path, mode, &(FvFilePart){line, (size_t)length}, 1, err);
  if (length >= 0) sodium_memzero(line, (size_t)length);
  sodium_memzero(&hex, sizeof hex);
  free(line);
  free(path);
  return result;
}

int fv_key_create(const char *stem, FvKeyKind kind, FvError *err) {
  uint8_t seed[FV_KEY_BYTES], public_key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
  int result = fv_sodium_ready(err);
  if (result < 0) return result;
  if (!stem || !*stem || stem[strlen(stem) - 1] == '/' || !fv_text_is_clean(stem))
    return fv_error_set(err, FV_ERR_INVALID, "a key needs a name for its files");
  randombytes_buf(seed, sizeof seed);
  result = write_key(stem, ".key", "fovea-secret-key", kind, seed, FV_FILE_NEW_PRIVATE, err);
  if (result == 0 && kind == FV_KEY_SIGNING) {
    crypto_sign_seed_keypair(public_key, secret, seed);
    result = write_key(stem, ".pub", "fovea-public-key", kind, public_key, FV_FILE_NEW, err);
  }
  sodium_memzero(seed, sizeof seed);
  sodium_memzero(secret, sizeof secret);
  return result;
}

static bool is_key_in(const char *path, const uint8_t key[FV_KEY_BYTES], char name[FV_KEY_NAME_SIZE]) {
  void *text;
  size_t size;
  uint8_t found[FV_KEY_BYTES];
  if (fv_file_read(path, MAX_KEY_FILE, &text, &size, NULL) < 0) return false;
  bool same = parse_line(text, "fovea-public-key", FV_KEY_SIGNING, found, name) && memcmp(found, key, FV_KEY_BYTES) == 0;
  free(text);
  return same;
}

static bool is_key_below(const char *directory, const uint8_t key[FV_KEY_BYTES], char name[FV_KEY_NAME_SIZE]) {
  DIR *stream = opendir(directory);
  bool found = false;
  int seen = 0;
  for (struct dirent *entry; stream && !found && seen < MAX_KEYS && (entry = readdir(stream));) {
    size_t length = strlen(entry->d_name);
    char path[PATH_SIZE];
    if (length < 5 || strcmp(entry->d_name + length - 4, ".pub") != 0) continue;
    seen++;
    if (snprintf(path, sizeof path, "%s/%s", directory, entry->d_name) < PATH_SIZE) found = is_key_in(path, key, name);
  }
  if (stream) closedir(stream);
  return found;
}

bool fv_key_is_trusted(const uint8_t key[FV_KEY_BYTES], const char *directory, char name[FV_KEY_NAME_SIZE]) {
  if (directory && *directory) return is_key_below(directory, key, name);
  char users[PATH_SIZE] = "";
  const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
  if (xdg && *xdg)
    snprintf(users, sizeof users, "%s/fovea/trusted", xdg);
  else if (home && *home)
    snprintf(users, sizeof users, "%s/.config/fovea/trusted", home);
  return (*users && is_key_below(users, key, name)) || is_key_below("/etc/fovea/trusted", key, name);
}
