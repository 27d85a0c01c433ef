/* What a compressed picture is to the others, read from its first bytes, so that what will not be looked at need not be decoded. Input is not trusted: whatever cannot be
 * read is taken for a reference. */
#ifndef FOVEA_PLUGINS_PACKET_H
#define FOVEA_PLUGINS_PACKET_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef enum FoveaCodec { FOVEA_CODEC_H264, FOVEA_CODEC_H265, FOVEA_CODEC_VP8, FOVEA_CODEC_VP9, FOVEA_CODEC_AV1, FOVEA_CODEC_MJPEG } FoveaCodec;

typedef struct FoveaPacketReader {
  FoveaCodec codec;
  guint nal_length_size;  /* bytes before each NAL unit; 0: start codes */
  guint temporal_layers;  /* of H.265, as its SPS says; 0: none seen */
} FoveaPacketReader;

typedef struct FoveaPacketInfo {
  gboolean key;       /* can be decoded without any other */
  gboolean reference; /* others need it, or may */
  gboolean shown;     /* gives a picture of its own */
} FoveaPacketInfo;

/* FALSE: the caps are none of these codecs. codec_data of H.264 and H.265 is read where the caps have it. */
gboolean fovea_packet_reader_init(FoveaPacketReader *reader, const GstCaps *caps);

/* delta: the packet's maker says that it depends on others. */
FoveaPacketInfo fovea_packet_read(FoveaPacketReader *reader, const guint8 *data, gsize size, gboolean delta);

G_END_DECLS
#endif
