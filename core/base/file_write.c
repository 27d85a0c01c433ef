#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_all(int fd, const char *data, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = write(fd, data + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    done += (size_t)n;
  }
  return true;
}

/* What open() would have given a new file; mkstemp gives 0600. The mask is read from /proc, since umask() changes it for all threads. */
static mode_t usual_mode(void) {
  unsigned mask = 022;
  char line[128];
  FILE *status = fopen("/proc/self/status", "re");
  while (status && fgets(line, sizeof line, status))
    if (sscanf(line, "Umask: %o", &mask) == 1) break;
  if (status) fclose(status);
  return 0666 & ~(mode_t)mask;
}

static bool fill(int fd, FvFileMode mode, const FvFilePart *parts, int count) {
  for (int i = 0; i < count; i++)
    if (!write_all(fd, parts[i].data, parts[i].size)) return false;
  return fchmod(fd, mode == FV_FILE_NEW_PRIVATE ? 0600 : usual_mode()) == 0 && fsync(fd) == 0;
}

/* The new name outlives a power cut only once its directory is written. Some file systems cannot do that: then there is nothing to be done. */
static void sync_directory(const char *path) {
  const char *slash = strrchr(path, '/');
  char *directory = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
  int fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (fd >= 0) {
    fsync(fd);
    close(fd);
  }
  free(directory);
}

static bool put_in_place(const char *temporary, const char *path, FvFileMode mode) {
  if (mode == FV_FILE_REPLACE) return rename(temporary, path) == 0;
  return renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0;
}

int fv_file_write(const char *path, FvFileMode mode, const FvFilePart *parts, int count, FvError *err) {
  char *temporary = NULL;
  if (asprintf(&temporary, "%s.XXXXXX", path) < 0) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  int result = 0, fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0) {
    result = fv_error_set(err, FV_ERR_IO, "%s: %s", path, strerror(errno));
    free(temporary);
    return result;
  }
  bool written = fill(fd, mode, parts, count);
  if (!written) result = fv_error_set(err, FV_ERR_IO, "%s: %s", path, strerror(errno));
  if (close(fd) < 0 && written) result = fv_error_set(err, FV_ERR_IO, "%s: %s", path, strerror(errno));
  if (result == 0 && !put_in_place(temporary, path, mode)) result = fv_error_set(err, FV_ERR_IO, "%s: %s", path, strerror(errno));
  if (result == 0)
    sync_directory(path);
  else
    unlink(temporary);
  free(temporary);
  return result;
}
