#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLACK = 64 /* zero bytes behind the file: a terminator, and room for vector loads that overshoot */ };

static int read_all(int fd, const char *path, char *data, size_t size, FvError *err) {
  for (size_t done = 0; done < size;) {
    ssize_t n = read(fd, data + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fv_error_set(err, FV_ERR_IO, "%s: %s", path, strerror(errno));
    if (n == 0) return fv_error_set(err, FV_ERR_IO, "%s: the file became shorter while it was read", path);
    done += (size_t)n;
  }
  return 0;
}

int fv_file_read(const char *path, int64_t max_bytes, void **data, size_t *size, FvError *err) {
  *data = NULL;
  *size = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fv_error_set(err, FV_ERR_IO, "%s: %s", path, strerror(errno));
  struct stat info;
  int result = 0;
  if (fstat(fd, &info) < 0)
    result = fv_error_set(err, FV_ERR_IO, "%s: %s", path, strerror(errno));
  else if (!S_ISREG(info.st_mode))
    result = fv_error_set(err, FV_ERR_IO, "%s: not a regular file", path);
  else if (info.st_size > max_bytes)
    result = fv_error_set(err, FV_ERR_LIMIT, "%s: %lld bytes, more than the %lld allowed", path, (long long)info.st_size,
                          (long long)max_bytes);
  if (result == 0) {
    char *bytes = calloc((size_t)info.st_size + SLACK, 1);
    result = bytes ? read_all(fd, path, bytes, (size_t)info.st_size, err)
                   : fv_error_set(err, FV_ERR_NO_MEMORY, "%s: no memory for %lld bytes", path, (long long)info.st_size);
    if (result == 0) {
      *data = bytes;
      *size = (size_t)info.st_size;
    } else {
      free(bytes);
    }
  }
  close(fd);
  return result;
}
