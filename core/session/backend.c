#include "session/backend.h"

#include <string.h>

static const FvBackend *const backends[] = {&fv_backend_cpu, &fv_backend_vulkan};

const FvBackend *fv_backend_find(const char *device, const char **which, FvError *err) {
  *which = NULL;
  size_t length = strcspn(device, ":");
  for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
    if (strlen(backends[i]->name) != length || memcmp(backends[i]->name, device, length) != 0) continue;
    if (device[length]) *which = device + length + 1;
    return backends[i];
  }
  fv_error_set(err, FV_ERR_INVALID, "device '%s' is unknown; it is one of 'auto', 'cpu', 'vulkan', 'vulkan:N', 'vulkan:NAME'", device);
  return NULL;
}
