#include "vulkan/disk.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "vulkan/instance.h"

enum { MAX_CACHE_BYTES = 256 << 20 };

/* Drivers trust what they are given more than they should, so a checksum goes in front. */
typedef struct Header {
  char magic[8];
  uint64_t size, hash;
} Header;
static const char magic[8] = {'f', 'v', 'v', 'k', 'p', 'c', '0', '1'};

static uint64_t hash_of(const unsigned char *data, size_t size) {
  uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
  for (size_t i = 0; i < size; i++) hash = (hash ^ data[i]) * 0x100000001b3u;
  return hash;
}

/* Makes the folders too. False when there is no place for a cache. */
static bool cache_path(const VkPhysicalDeviceProperties *device, char path[PATH_MAX]) {
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (fv_vk_wish("nocache")) return false;
  int used;
  if (cache && *cache == '/')
    used = snprintf(path, PATH_MAX, "%s", cache);
  else if (home && *home == '/')
    used = snprintf(path, PATH_MAX, "%s/.cache", home);
  else
    return false;
  if (used >= PATH_MAX - 80) return false;
  mkdir(path, 0700);
  used += snprintf(path + used, PATH_MAX - (size_t)used, "/fovea");
  mkdir(path, 0700);
  used += snprintf(path + used, PATH_MAX - (size_t)used, "/vulkan-");
  for (size_t i = 0; i < VK_UUID_SIZE; i++) used += snprintf(path + used, PATH_MAX - (size_t)used, "%02x", device->pipelineCacheUUID[i]);
  snprintf(path + used, PATH_MAX - (size_t)used, ".cache");
  return true;
}

void *fv_vk_disk_read(const VkPhysicalDeviceProperties *device, size_t *size) {
  char path[PATH_MAX];
  void *file = NULL;
  size_t bytes = 0;
  *size = 0;
  if (!cache_path(device, path) || fv_file_read(path, MAX_CACHE_BYTES, &file, &bytes, NULL) < 0) return NULL;
  Header header;
  unsigned char *data = file;
  bool good = bytes > sizeof header;
  if (good) memcpy(&header, data, sizeof header);
  good = good && memcmp(header.magic, magic, sizeof magic) == 0 && header.size == bytes - sizeof header &&
         header.hash == hash_of(data + sizeof header, bytes - sizeof header);
  if (!good) {
    free(file);
    return NULL;
  }
  *size = bytes - sizeof header;
  memmove(data, data + sizeof header, *size);
  return file;
}

void fv_vk_disk_write(const VkPhysicalDeviceProperties *device, const void *data, size_t size) {
  char path[PATH_MAX], temporary[PATH_MAX + 8];
  if (size > MAX_CACHE_BYTES - sizeof(Header) || !cache_path(device, path)) return;
  snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
  int fd = mkstemp(temporary);
  FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
  if (!file) {
    if (fd >= 0) close(fd);
    return;
  }
  Header header = {.size = size, .hash = hash_of(data, size)};
  memcpy(header.magic, magic, sizeof magic);
  bool good = fwrite(&header, sizeof header, 1, file) == 1 && fwrite(data, size, 1, file) == 1;
  good &= fclose(file) == 0;
  if (!good || rename(temporary, path) != 0) unlink(temporary);
}
