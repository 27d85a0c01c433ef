#include "elements.h"

#include <gst/gst.h>

#define PLUGIN_FILE "libgstfovea.so"

static gboolean load_from(const char *folder) {
  char *path = g_build_filename(folder, PLUGIN_FILE, NULL);
  GstPlugin *plugin = g_file_test(path, G_FILE_TEST_IS_REGULAR) ? gst_plugin_load_file(path, NULL) : NULL;
  gboolean loaded = plugin != NULL;
  gst_clear_object(&plugin);
  g_free(path);
  return loaded;
}

static gboolean load_beside_program(void) {
  char *program = g_file_read_link("/proc/self/exe", NULL);
  char *folder = program != NULL ? g_path_get_dirname(program) : NULL;
  char *plugins = folder != NULL ? g_build_filename(folder, "..", "plugins", NULL) : NULL;
  gboolean loaded = plugins != NULL && load_from(plugins);
  g_free(plugins);
  g_free(folder);
  g_free(program);
  return loaded;
}

void fv_elements_find(void) {
  GstElementFactory *known = gst_element_factory_find("foveadetect");
  if (known != NULL)
    gst_object_unref(known);
  else if (!load_from(FOVEA_PLUGIN_DIR))
    load_beside_program();
}
