/* Frames: pictures as cameras and decoders deliver them. Borrowed for the length of a call, never kept. */
#ifndef FOVEA_FRAME_H
#define FOVEA_FRAME_H

#include <stdint.h>

#include <fovea/error.h>
#include <fovea/limits.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum FvPixelFormat {
  FV_FORMAT_NONE = 0,
  FV_FORMAT_NV12,  /* plane 0: Y; plane 1: interleaved U,V at half size, rounded up */
  FV_FORMAT_I420,  /* planes Y, U, V; chroma at half size, rounded up */
  FV_FORMAT_YUY2,  /* Y0 U Y1 V, one plane; an odd width has a whole last group */
  FV_FORMAT_RGB,   /* 3 bytes a pixel */
  FV_FORMAT_BGR,
  FV_FORMAT_RGBA,  /* 4 bytes a pixel; alpha is ignored */
  FV_FORMAT_BGRA,
  FV_FORMAT_RGBX,
  FV_FORMAT_BGRX,
  FV_FORMAT_GRAY8, /* one plane, luma */
  FV_FORMAT_COUNT
} FvPixelFormat;

typedef enum FvColorMatrix {
  FV_MATRIX_DEFAULT = 0, /* BT.709 when the height is 720 or more, else BT.601 */
  FV_MATRIX_BT601,
  FV_MATRIX_BT709,
  FV_MATRIX_BT2020
} FvColorMatrix;

typedef enum FvColorRange {
  FV_RANGE_DEFAULT = 0, /* limited for YUV formats, full for RGB and GRAY8 */
  FV_RANGE_LIMITED,     /* Y 16..235, chroma 16..240 */
  FV_RANGE_FULL
} FvColorRange;

/* Planes in DMA buffers, linear; what writes them may still be at it. For sessions of which fv_session_imports_dma is true. */
typedef struct FvDmaPlanes {
  int fd[4];         /* of each plane's buffer; several planes may lie in one */
  int64_t offset[4]; /* bytes to the first byte of the top row */
} FvDmaPlanes;

typedef struct FvFrame {
  FvPixelFormat format;
  int width, height;       /* pixels, 1 to FV_MAX_FRAME_SIDE, odd sizes allowed */
  const uint8_t *plane[4]; /* first byte of the top row of each plane; unused ones NULL */
  int stride[4];           /* bytes from one row to the next; at least a row, or negative for bottom-up pictures */
  FvColorMatrix matrix;    /* used by the YUV formats only */
  FvColorRange range;
  const FvDmaPlanes *dma;  /* NULL: planes are pointers; else these take their place */
} FvFrame;

/* Planes of a format: 1 to 3; 0 for FV_FORMAT_NONE. */
FV_API int fv_format_plane_count(FvPixelFormat format);
/* Bytes of one row and number of rows of a plane. */
FV_API int fv_format_row_bytes(FvPixelFormat format, int plane, int width);
FV_API int fv_format_rows(FvPixelFormat format, int plane, int height);
/* "NV12", …: GStreamer's names; static storage. fv_format_from_name returns FV_FORMAT_NONE for a stranger. */
FV_API const char *fv_format_name(FvPixelFormat format);
FV_API FvPixelFormat fv_format_from_name(const char *name);
/* FV_OK, or FV_ERR_INVALID/FV_ERR_LIMIT with the field that is wrong. */
FV_API int fv_frame_check(const FvFrame *frame, FvError *err);

#ifdef __cplusplus
}
#endif
#endif
