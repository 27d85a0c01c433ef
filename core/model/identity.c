/* Which file a model is: its SHA-256. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "container/hash.h"
#include "model/model_internal.h"

static bool mark_of(const char *path, FvFileMark *mark) {
  struct stat info;
  *mark = (FvFileMark){0};
  if (stat(path, &info) < 0) return false;
  mark->device = info.st_dev;
  mark->number = info.st_ino;
  mark->size = info.st_size;
  mark->changed = info.st_mtim;
  return true;
}

static bool same_mark(const FvFileMark *a, const FvFileMark *b) {
  return a->device == b->device && a->number == b->number && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

void fv_model_mark_file(FvModel *model) { mark_of(model->path, &model->mark); }

void fv_model_hash_bytes(FvModel *model, const void *data, size_t size) {
  uint8_t digest[crypto_hash_sha256_BYTES];
  if (fv_sodium_ready(NULL) < 0) return;
  crypto_hash_sha256(digest, data, size);
  sodium_bin2hex(model->sha256, sizeof model->sha256, digest, sizeof digest);
}

/* What is read must be what is there before and after, and what was there when the model was opened. */
static void hash_file(FvModel *model) {
  FvFileMark before, after;
  void *data;
  size_t size;
  if (!mark_of(model->path, &before) || !same_mark(&before, &model->mark) || fv_file_read(model->path, FV_MAX_MODEL_BYTES, &data, &size, NULL) < 0) return;
  if (mark_of(model->path, &after) && same_mark(&after, &model->mark)) fv_model_hash_bytes(model, data, size);
  free(data);
}

const char *fv_model_sha256(const FvModel *model) {
  FvModel *known = (FvModel *)(uintptr_t)model; /* only what `hashing` guards is written */
  pthread_mutex_lock(&known->hashing);
  if (!*known->sha256 && !known->from_memory) hash_file(known);
  pthread_mutex_unlock(&known->hashing);
  return known->sha256;
}
