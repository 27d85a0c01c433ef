#include "library.h"

#include <dlfcn.h>

gboolean fovea_library_open(const gchar *file, const gchar *package, const gchar *const *names, gpointer *places, gsize count, GError **error) {
  static GMutex lock;
  gboolean done = TRUE;
  g_mutex_lock(&lock);
  void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "%s cannot be opened; install the package %s (%s)", file, package, dlerror());
    done = FALSE;
  }
  for (gsize i = 0; done && i < count; i++) {
    places[i] = dlsym(library, names[i]);
    if (!places[i]) {
      g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "%s is too old, it has no %s; install a newer package %s", file, names[i], package);
      done = FALSE;
    }
  }
  g_mutex_unlock(&lock);
  return done;
}
