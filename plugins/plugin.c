#include <gst/gst.h>

#include <fovea/version.h>

#ifdef HAVE_DECODE
#include "decode/foveadecode.h"
#endif
#include "detect/foveadetect.h"
#include "encoded/foveaclips.h"
#include "encoded/foveaspool.h"
#include "overlay/foveaoverlay.h"
#include "publish/foveapublish.h"
#include "source/foveasrc.h"

#define PACKAGE "fovea" /* wanted by GST_PLUGIN_DEFINE */

static gboolean plugin_init(GstPlugin *plugin) {
  gboolean registered = GST_ELEMENT_REGISTER(foveadetect, plugin);
  registered |= GST_ELEMENT_REGISTER(foveaoverlay, plugin);
  registered |= GST_ELEMENT_REGISTER(foveapublish, plugin);
  registered |= GST_ELEMENT_REGISTER(foveaclips, plugin);
#ifdef HAVE_DECODE
  registered |= GST_ELEMENT_REGISTER(foveadecode, plugin);
#endif
  registered |= GST_ELEMENT_REGISTER(foveasrc, plugin);
  registered |= GST_ELEMENT_REGISTER(foveaspool, plugin);
  return registered;
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, fovea, "Video analytics: object detection, overlay and publishing",
                  plugin_init, FV_VERSION, "MIT/X11", "Fovea", "libfovea")
