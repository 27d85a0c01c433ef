#include "vulkan/tuned.h"

#include <stdlib.h>
#include <string.h>

#include <fovea/version.h>

#include "vulkan/device.h"
#include "vulkan/disk.h"

enum { MAX_RECORDS = 4096 };

typedef struct Record {
  uint64_t key;
  int64_t way;
} Record;

struct FvVkTunings {
  pthread_mutex_t lock;
  int count;
  Record records[MAX_RECORDS]; /* the newest last */
};

static void put(FvVkTunings *t, uint64_t key, int64_t way) {
  for (int i = 0; i < t->count; i++)
    if (t->records[i].key == key) {
      t->records[i].way = way;
      return;
    }
  if (t->count == MAX_RECORDS) memmove(t->records, t->records + 1, sizeof t->records[0] * (size_t)--t->count);
  t->records[t->count++] = (Record){key, way};
}

FvVkTunings *fv_vk_tunings_create(const FvVkDevice *device) {
  FvVkTunings *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  pthread_mutex_init(&t->lock, NULL);
  size_t size = 0;
  Record *found = fv_vk_disk_read_tuning(&device->traits.properties, sizeof t->records, &size);
  for (size_t i = 0; found && size % sizeof *found == 0 && i < size / sizeof *found; i++)
    if (found[i].way >= 0 && found[i].way < FV_VK_MAX_WAYS) put(t, found[i].key, found[i].way);
  free(found);
  return t;
}

void fv_vk_tunings_destroy(FvVkTunings *t) {
  if (!t) return;
  pthread_mutex_destroy(&t->lock);
  free(t);
}

static void mix(uint64_t *hash, const void *data, size_t size) {
  for (size_t i = 0; i < size; i++) *hash = (*hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3u; /* FNV-1a */
}

uint64_t fv_vk_tuning_key(const FvVkConv *c, FvVkForm form, bool texel, const FvVkConvWay *ways, int way_count) {
  uint64_t hash = 0xcbf29ce484222325u;
  const FvVkWindow *w = &c->window;
  const int64_t numbers[] = {c->x.n, c->x.h, c->x.w, c->y.h, c->y.w, c->group, c->channels, c->outputs, c->has_residual, c->x.sc, c->x.sw % 4, c->y.sw % 4,
                             w->kh, w->kw, w->sh, w->sw, w->dh, w->dw, form, texel, way_count};
  mix(&hash, FV_VERSION, sizeof FV_VERSION);
  mix(&hash, numbers, sizeof numbers);
  for (int i = 0; i < way_count; i++) {
    const int64_t way[] = {ways[i].shader, ways[i].arithmetic, ways[i].pixels, ways[i].vecs, ways[i].rows, ways[i].columns, ways[i].step, ways[i].group_size};
    mix(&hash, way, sizeof way);
  }
  return hash;
}

int fv_vk_tuned(FvVkTunings *t, uint64_t key) {
  int way = -1;
  if (!t) return way;
  pthread_mutex_lock(&t->lock);
  for (int i = 0; i < t->count && way < 0; i++)
    if (t->records[i].key == key) way = (int)t->records[i].way;
  pthread_mutex_unlock(&t->lock);
  return way;
}

void fv_vk_tunings_set(FvVkTunings *t, uint64_t key, int way) {
  if (!t) return;
  pthread_mutex_lock(&t->lock);
  put(t, key, way);
  pthread_mutex_unlock(&t->lock);
}

void fv_vk_tunings_save(FvVkTunings *t, const FvVkDevice *device) {
  if (!t) return;
  pthread_mutex_lock(&t->lock);
  fv_vk_disk_write_tuning(&device->traits.properties, t->records, (size_t)t->count * sizeof t->records[0]);
  pthread_mutex_unlock(&t->lock);
}
