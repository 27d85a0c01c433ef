#ifndef FOVEA_PLUGINS_FOVEACLIPS_H
#define FOVEA_PLUGINS_FOVEACLIPS_H

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_TYPE_FOVEA_CLIPS (gst_fovea_clips_get_type())
G_DECLARE_FINAL_TYPE(GstFoveaClips, gst_fovea_clips, GST, FOVEA_CLIPS, GstBaseSink)

GST_ELEMENT_REGISTER_DECLARE(foveaclips);

G_END_DECLS
#endif
