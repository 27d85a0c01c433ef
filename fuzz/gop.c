/* GOPs as they stand in a spool: read, and what was read written and read again. */
#include "encoded/gop.h"
#include "fuzz.h"

static void stay_quiet(void) {
  static gsize ready = 0;
  if (g_once_init_enter(&ready)) {
    g_setenv("GST_REGISTRY_DISABLE", "yes", TRUE); /* no element is needed */
    gst_init(NULL, NULL);
    gst_debug_set_active(FALSE);
    g_once_init_leave(&ready, 1);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  stay_quiet();
  GBytes *message = g_bytes_new(data, size);
  FvError err;
  FoveaGop *gop = fovea_gop_decode(message, &err);
  if (gop) {
    GBytes *again = fovea_gop_encode(gop);
    FoveaGop *same = fovea_gop_decode(again, &err);
    g_assert_true(same && same->bytes == gop->bytes && same->frames->len == gop->frames->len);
    fovea_gop_unref(same);
    g_bytes_unref(again);
  }
  fovea_gop_unref(gop);
  g_bytes_unref(message);
  return 0;
}
