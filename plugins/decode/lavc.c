#include "lavc.h"

#include <dlfcn.h>
#include <gst/gst.h>

#define LIBRARY "libavcodec.so." AV_STRINGIFY(LIBAVCODEC_VERSION_MAJOR)

static FoveaLavc table;
static gchar *problem; /* set once; lives as long as the process */

/* The library's dependencies, libavutil among them, are searched through its handle as well. */
static gboolean load(void *library) {
#define LOAD(name)                                                                                                        \
  if (!(table.name = (__typeof__(table.name))dlsym(library, #name))) {                                                     \
    problem = g_strdup("foveadecode: " LIBRARY " has no " #name "; install the package that it came from anew");           \
    return FALSE;                                                                                                          \
  }
  FOVEA_LAVC_FUNCTIONS(LOAD)
#undef LOAD
  guint codec = table.avcodec_version() >> 16, util = table.avutil_version() >> 16;
  if (codec == LIBAVCODEC_VERSION_MAJOR && util == LIBAVUTIL_VERSION_MAJOR)
    return TRUE;
  problem = g_strdup_printf("foveadecode: this build is for libavcodec %d with libavutil %d, found are %u and %u; rebuild Fovea with the headers of those",
                            LIBAVCODEC_VERSION_MAJOR, LIBAVUTIL_VERSION_MAJOR, codec, util);
  return FALSE;
}

/* libavcodec tells stderr of each damaged byte; a bad camera shall not fill logs that belong to the application. Whoever has set a level of their own keeps it, and
 * GST_DEBUG=7 or more leaves it as it is. */
static void quieten(void) {
  if (table.av_log_get_level() == AV_LOG_INFO && gst_debug_get_default_threshold() < GST_LEVEL_TRACE)
    table.av_log_set_level(AV_LOG_PANIC);
}

static gpointer open_library(gpointer unused) {
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    problem = g_strdup_printf("foveadecode: " LIBRARY ", which this build is for, cannot be opened (%s); install libavcodec%d or FFmpeg of that version",
                              dlerror(), LIBAVCODEC_VERSION_MAJOR);
    return NULL;
  }
  if (load(library)) {
    quieten();
    return &table;
  }
  dlclose(library);
  return NULL;
}

const FoveaLavc *fovea_lavc_get(const gchar **ret_problem) {
  static GOnce once = G_ONCE_INIT;
  const FoveaLavc *lavc = g_once(&once, open_library, NULL);
  if (!lavc)
    *ret_problem = problem;
  return lavc;
}
