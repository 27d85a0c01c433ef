#ifndef FOVEA_PLUGINS_FOVEADETECT_H
#define FOVEA_PLUGINS_FOVEADETECT_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_FOVEA_DETECT (gst_fovea_detect_get_type())
G_DECLARE_FINAL_TYPE(GstFoveaDetect, gst_fovea_detect, GST, FOVEA_DETECT, GstElement)

GST_ELEMENT_REGISTER_DECLARE(foveadetect);

G_END_DECLS
#endif
