/* Label files, through a file that exists in memory only. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "vision/describe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[64];
  FvDescription description = {0};
  int fd = memfd_create("labels", MFD_CLOEXEC);
  if (fd < 0) return 0;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (write(fd, data, size) == (ssize_t)size) fv_description_read_labels(&description, path, NULL);
  fv_description_finish(&description);
  close(fd);
  return 0;
}
