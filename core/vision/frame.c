/* The table of pixel formats, and the check that a frame's fields fit together. */
#include <fovea/frame.h>

#include <stddef.h>
#include <string.h>

/* Bytes of a row are groups of pixels times bytes a group; a group is `across` pixels wide, `down` rows high. */
typedef struct FvPlaneLayout {
  int across, down, bytes;
} FvPlaneLayout;

static const struct {
  const char *name;
  int planes;
  FvPlaneLayout plane[3];
} formats[FV_FORMAT_COUNT] = {
  [FV_FORMAT_NV12] = {"NV12", 2, {{1, 1, 1}, {2, 2, 2}}},
  [FV_FORMAT_I420] = {"I420", 3, {{1, 1, 1}, {2, 2, 1}, {2, 2, 1}}},
  [FV_FORMAT_YUY2] = {"YUY2", 1, {{2, 1, 4}}},
  [FV_FORMAT_RGB] = {"RGB", 1, {{1, 1, 3}}},
  [FV_FORMAT_BGR] = {"BGR", 1, {{1, 1, 3}}},
  [FV_FORMAT_RGBA] = {"RGBA", 1, {{1, 1, 4}}},
  [FV_FORMAT_BGRA] = {"BGRA", 1, {{1, 1, 4}}},
  [FV_FORMAT_RGBX] = {"RGBx", 1, {{1, 1, 4}}},
  [FV_FORMAT_BGRX] = {"BGRx", 1, {{1, 1, 4}}},
  [FV_FORMAT_GRAY8] = {"GRAY8", 1, {{1, 1, 1}}},
};

static int is_format(FvPixelFormat format) { return (int)format > FV_FORMAT_NONE && (int)format < FV_FORMAT_COUNT; }

int fv_format_plane_count(FvPixelFormat format) { return is_format(format) ? formats[format].planes : 0; }

int fv_format_row_bytes(FvPixelFormat format, int plane, int width) {
  if (plane < 0 || plane >= fv_format_plane_count(format) || width <= 0) return 0;
  FvPlaneLayout layout = formats[format].plane[plane];
  return (width / layout.across + (width % layout.across != 0)) * layout.bytes;
}

int fv_format_rows(FvPixelFormat format, int plane, int height) {
  if (plane < 0 || plane >= fv_format_plane_count(format) || height <= 0) return 0;
  int down = formats[format].plane[plane].down;
  return height / down + (height % down != 0);
}

const char *fv_format_name(FvPixelFormat format) { return is_format(format) ? formats[format].name : "none"; }

FvPixelFormat fv_format_from_name(const char *name) {
  for (int f = 1; name && f < FV_FORMAT_COUNT; f++)
    if (strcmp(formats[f].name, name) == 0) return (FvPixelFormat)f;
  return FV_FORMAT_NONE;
}

int fv_frame_check(const FvFrame *frame, FvError *err) {
  if (!frame) return fv_error_set(err, FV_ERR_INVALID, "no frame was given");
  if (!is_format(frame->format)) return fv_error_set(err, FV_ERR_INVALID, "the frame's format is not one of FvPixelFormat");
  if (frame->width < 1 || frame->height < 1)
    return fv_error_set(err, FV_ERR_INVALID, "the frame's size is %dx%d, both must be at least 1", frame->width, frame->height);
  if (frame->width > FV_MAX_FRAME_SIDE || frame->height > FV_MAX_FRAME_SIDE)
    return fv_error_set(err, FV_ERR_LIMIT, "the frame's size is %dx%d, more than %d on a side", frame->width, frame->height,
                        FV_MAX_FRAME_SIDE);
  if ((unsigned)frame->matrix > FV_MATRIX_BT2020) return fv_error_set(err, FV_ERR_INVALID, "the frame's matrix is not one of FvColorMatrix");
  if ((unsigned)frame->range > FV_RANGE_FULL) return fv_error_set(err, FV_ERR_INVALID, "the frame's range is not one of FvColorRange");
  for (int p = 0; p < formats[frame->format].planes; p++) {
    int row = fv_format_row_bytes(frame->format, p, frame->width);
    if (!frame->plane[p] && !frame->dma) return fv_error_set(err, FV_ERR_INVALID, "the frame's plane %d is NULL", p);
    if (frame->stride[p] < row && frame->stride[p] > -row)
      return fv_error_set(err, FV_ERR_INVALID, "the frame's stride %d of plane %d is less than the %d bytes of a row", frame->stride[p], p,
                          row);
  }
  for (int p = 0; frame->dma && p < formats[frame->format].planes; p++)
    if (frame->dma->fd[p] < 0 || frame->dma->offset[p] < 0)
      return fv_error_set(err, FV_ERR_INVALID, "the frame's plane %d has the descriptor %d and the offset %lld: neither may be negative", p, frame->dma->fd[p],
                          (long long)frame->dma->offset[p]);
  return FV_OK;
}
