#include "cases.h"

#define RELU .activation = {FV_ACTIVATION_RELU, 0, 0}
#define RELU6 .activation = {FV_ACTIVATION_CLIP, 0, 6}
#define LEAKY .activation = {FV_ACTIVATION_LEAKY_RELU, 0.1f, 0}
#define SILU .activation = {FV_ACTIVATION_SILU, 0, 0}
#define SIGMOID .activation = {FV_ACTIVATION_SIGMOID, 0, 0}
#define TANH .activation = {FV_ACTIVATION_TANH, 0, 0}
#define HARD_SIGMOID .activation = {FV_ACTIVATION_HARD_SIGMOID, 0.2f, 0.5f}
#define HARD_SWISH .activation = {FV_ACTIVATION_HARD_SWISH, 0, 0}
#define BENCH .bench = true
#define CONV(title, in, at, ...) {.name = "conv " title, .op = "Conv", .inputs = in, .attributes = at, __VA_ARGS__}
#define ONE(title, operator, in, at, ...) {.name = title, .op = operator, .inputs = in, .attributes = at, __VA_ARGS__}
#define PW "kernel_shape=1,1"
#define K3 "kernel_shape=3,3 pads=1,1,1,1"
#define K3S2 "kernel_shape=3,3 pads=1,1,1,1 strides=2,2"

const KernelCase kernel_cases[] = {
  /* pointwise */
  CONV("1x1 116 to 116 on 40x40", "f32[1,116,40,40] f32[116,116,1,1]:c f32[116]:c", PW, RELU, BENCH),
  CONV("1x1 232 to 232 on 20x20", "f32[1,232,20,20] f32[232,232,1,1]:c f32[232]:c", PW, RELU, BENCH),
  CONV("1x1 24 to 58 on 80x80", "f32[1,24,80,80] f32[58,24,1,1]:c f32[58]:c", PW, RELU, BENCH),
  CONV("1x1 96 to 96 on 22x22", "f32[1,96,22,22] f32[96,96,1,1]:c f32[96]:c", PW, RELU, BENCH),
  CONV("1x1 192 to 192 on 11x11", "f32[1,192,11,11] f32[192,192,1,1]:c f32[192]:c", PW, RELU, BENCH),
  CONV("1x1 48 to 24 on 44x44", "f32[1,48,44,44] f32[24,48,1,1]:c f32[24]:c", PW, LEAKY, BENCH),
  CONV("1x1 without bias", "f32[1,7,5,5] f32[3,7,1,1]:c", PW),
  CONV("1x1 one channel", "f32[1,1,5,11] f32[1,1,1,1]:c f32[1]:c", PW, SIGMOID),
  CONV("1x1 one pixel", "f32[1,58,1,1] f32[9,58,1,1]:c f32[9]:c", PW, HARD_SWISH),
  CONV("1x1 two pictures", "f32[2,8,5,7] f32[24,8,1,1]:c f32[24]:c", PW, SILU),
  CONV("1x1 residual", "f32[1,24,11,11] f32[40,24,1,1]:c f32[40]:c f32[1,40,11,11]", PW, RELU),
  CONV("1x1 residual, silu", "f32[1,9,5,5] f32[17,9,1,1]:c - f32[1,17,5,5]", PW, SILU),
  CONV("1x1 stride 2", "f32[1,24,11,11] f32[58,24,1,1]:c f32[58]:c", "kernel_shape=1,1 strides=2,2", RELU6),
  CONV("1x1 group 2", "f32[1,48,11,11] f32[24,24,1,1]:c f32[24]:c", "kernel_shape=1,1 group=2", TANH),
  CONV("1x1 group 4", "f32[1,36,5,5] f32[28,9,1,1]:c f32[28]:c", "kernel_shape=1,1 group=4", HARD_SIGMOID),
  CONV("1x1 many to few", "f32[1,300,4,4] f32[6,300,1,1]:c f32[6]:c", PW),
  /* general windows */
  CONV("3x3 64 to 64 on 40x40", "f32[1,64,40,40] f32[64,64,3,3]:c f32[64]:c", K3, RELU, BENCH),
  CONV("3x3 16 to 32 on 60x80", "f32[1,16,60,80] f32[32,16,3,3]:c f32[32]:c", K3, RELU, BENCH),
  CONV("3x3 256 to 512 on 13x13", "f32[1,256,13,13] f32[512,256,3,3]:c f32[512]:c", K3, LEAKY, BENCH),
  CONV("3x3 odd", "f32[1,9,11,22] f32[13,9,3,3]:c f32[13]:c", K3, LEAKY),
  CONV("3x3 stride 2, odd", "f32[1,24,11,5] f32[58,24,3,3]:c f32[58]:c", K3S2, RELU),
  CONV("3x3 stride 2, even, one-sided pads", "f32[1,8,22,40] f32[8,8,3,3]:c f32[8]:c", "kernel_shape=3,3 pads=0,0,1,1 strides=2,2"),
  CONV("3x3 dilation 2", "f32[1,7,11,11] f32[8,7,3,3]:c f32[8]:c", "kernel_shape=3,3 pads=2,2,2,2 dilations=2,2", RELU),
  CONV("3x3 dilation 5", "f32[1,24,15,20] f32[24,24,3,3]:c f32[24]:c", "kernel_shape=3,3 pads=5,5,5,5 dilations=5,5"),
  CONV("3x3 without pads", "f32[1,8,11,11] f32[9,8,3,3]:c f32[9]:c", "kernel_shape=3,3"),
  CONV("3x3 pads beyond the kernel", "f32[1,8,1,1] f32[8,8,3,3]:c f32[8]:c", "kernel_shape=3,3 pads=4,4,4,4"),
  CONV("1x7", "f32[1,8,5,22] f32[8,8,1,7]:c f32[8]:c", "kernel_shape=1,7 pads=0,3,0,3"),
  CONV("5x5 group 2", "f32[1,14,11,11] f32[18,7,5,5]:c f32[18]:c", "kernel_shape=5,5 pads=2,2,2,2 group=2", RELU6),
  CONV("3x3 group 4, batch 2", "f32[2,32,5,5] f32[16,8,3,3]:c f32[16]:c", "kernel_shape=3,3 pads=1,1,1,1 group=4"),
  CONV("3x3 residual", "f32[1,16,11,11] f32[24,16,3,3]:c f32[24]:c f32[1,24,11,11]", K3, RELU),
  CONV("over a line", "f32[1,16,33] f32[24,16,3]:c f32[24]:c", "kernel_shape=3 pads=1,1", RELU),
  /* few input channels */
  CONV("first layer 320", "f32[1,3,320,320] f32[24,3,3,3]:c f32[24]:c", K3S2, RELU, BENCH),
  CONV("first layer 240x320 to 16", "f32[1,3,240,320] f32[16,3,3,3]:c f32[16]:c", K3S2, RELU, BENCH),
  CONV("first layer, odd", "f32[2,3,23,41] f32[9,3,3,3]:c f32[9]:c", K3S2, LEAKY),
  CONV("first layer 7x7", "f32[1,3,40,40] f32[16,3,7,7]:c f32[16]:c", "kernel_shape=7,7 pads=3,3,3,3 strides=2,2", RELU),
  CONV("first layer 6x6 of yolov5", "f32[1,3,22,40] f32[16,3,6,6]:c f32[16]:c", "kernel_shape=6,6 pads=2,2,2,2 strides=2,2", SILU),
  CONV("grey, stride 1", "f32[1,1,11,11] f32[8,1,3,3]:c f32[8]:c", K3),
  CONV("four channels, no left pad", "f32[1,4,9,9] f32[24,4,3,3]:c", "kernel_shape=3,3 pads=1,0,0,1"),
  CONV("first layer, stride 4", "f32[1,3,33,33] f32[16,3,3,3]:c f32[16]:c", "kernel_shape=3,3 strides=4,4"),
  CONV("first layer, huge pads", "f32[1,2,3,3] f32[8,2,3,3]:c f32[8]:c", "kernel_shape=3,3 pads=5,5,5,5"),
  /* depthwise */
  CONV("depthwise 3x3 116 on 40x40", "f32[1,116,40,40] f32[116,1,3,3]:c f32[116]:c", K3 " group=116", BENCH),
  CONV("depthwise 3x3 58 on 80x80 stride 2", "f32[1,58,80,80] f32[58,1,3,3]:c f32[58]:c", K3S2 " group=58", BENCH),
  CONV("depthwise 5x5 96 on 22x22", "f32[1,96,22,22] f32[96,1,5,5]:c f32[96]:c", "kernel_shape=5,5 pads=2,2,2,2 group=96", RELU, BENCH),
  CONV("depthwise 3x3 one channel", "f32[1,1,11,11] f32[1,1,3,3]:c f32[1]:c", K3 " group=1", RELU),
  CONV("depthwise 3x3 odd", "f32[1,9,11,22] f32[9,1,3,3]:c f32[9]:c", K3 " group=9", SILU),
  CONV("depthwise 3x3 narrow", "f32[1,24,7,1] f32[24,1,3,3]:c f32[24]:c", K3 " group=24"),
  CONV("depthwise 3x3 narrower than the kernel", "f32[1,7,2,2] f32[7,1,3,3]:c f32[7]:c", K3 " group=7"),
  CONV("depthwise 3x3 stride 2, odd", "f32[2,58,5,11] f32[58,1,3,3]:c f32[58]:c", K3S2 " group=58", RELU6),
  CONV("depthwise 3x3 dilation 2", "f32[1,8,11,11] f32[8,1,3,3]:c f32[8]:c", "kernel_shape=3,3 pads=2,2,2,2 dilations=2,2 group=8"),
  CONV("depthwise 5x5 stride 2", "f32[1,24,22,11] f32[24,1,5,5]:c f32[24]:c", "kernel_shape=5,5 pads=2,2,2,2 strides=2,2 group=24", LEAKY),
  CONV("depthwise 7x7", "f32[1,16,9,9] f32[16,1,7,7]:c f32[16]:c", "kernel_shape=7,7 pads=3,3,3,3 group=16"),
  CONV("depthwise 1x5", "f32[1,16,9,9] f32[16,1,1,5]:c", "kernel_shape=1,5 pads=0,2,0,2 group=16"),
  CONV("depthwise residual", "f32[1,24,11,11] f32[24,1,3,3]:c f32[24]:c f32[1,24,11,11]", K3 " group=24", RELU),

  /* elementwise */
  ONE("Relu", "Relu", "f32[1,24,11,5]", ""),
  ONE("LeakyRelu", "LeakyRelu", "f32[2,9,5,7]", "alpha=0.1"),
  ONE("Sigmoid of a line", "Sigmoid", "f32[1,1003]", ""),
  ONE("Sigmoid 85 on 40x40", "Sigmoid", "f32[1,85,40,40]", "", BENCH),
  ONE("Tanh", "Tanh", "f32[1,7,11,11]", ""),
  ONE("HardSigmoid", "HardSigmoid", "f32[1,7,11,11]", ""),
  ONE("HardSwish", "HardSwish", "f32[1,8,11,11]", "", .opset = 14),
  ONE("Elu", "Elu", "f32[1,8,11,11]", ""),
  ONE("Mish", "Mish", "f32[1,8,11,11]", "", .opset = 18),
  ONE("Gelu by tanh", "Gelu", "f32[1,58,5,5]", "approximate='tanh'", .opset = 20),
  ONE("Exp", "Exp", "f32[3,58]", ""),
  ONE("Sqrt", "Sqrt", "f32[1,3,5,5]:+", ""),
  ONE("Abs", "Abs", "f32[1,24,5,5]", ""),
  ONE("Neg", "Neg", "f32[1,1,5,5]", ""),
  ONE("Floor", "Floor", "f32[24]", ""),
  ONE("Ceil", "Ceil", "f32[2,3]", ""),
  ONE("Round", "Round", "f32[1,9,3,3]", ""),
  ONE("Reciprocal", "Reciprocal", "f32[1,9,3,3]:+", ""),
  ONE("Softsign", "Softsign", "f32[1,9,3,3]", ""),
  ONE("Add", "Add", "f32[1,58,11,11] f32[1,58,11,11]", "", RELU),
  ONE("Add 116 on 40x40", "Add", "f32[1,116,40,40] f32[1,116,40,40]", "", RELU, BENCH),
  ONE("Add, silu", "Add", "f32[1,9,5,5] f32[1,9,5,5]", "", SILU),
  ONE("Sub a scalar", "Sub", "f32[1,24,5,5] f32[]", ""),
  ONE("Mul by a vector of channels", "Mul", "f32[1,24,11,11] f32[1,24,1,1]", "", RELU6),
  ONE("Mul by a map", "Mul", "f32[2,9,5,7] f32[2,1,5,7]", ""),
  ONE("Mul of rank 3", "Mul", "f32[1,116,7] f32[7]", ""),
  ONE("Div by a constant", "Div", "f32[1,3,5,5] f32[1,3,1,1]=2,3,4", ""),
  ONE("Div outer", "Div", "f32[7,1] f32[1,9]:+", ""),
  ONE("Min", "Min", "f32[1,24,5,5] f32[24,1,1]", ""),
  ONE("Max", "Max", "f32[1,8,5,5] f32[1,8,5,5]", ""),
  ONE("PRelu per channel", "PRelu", "f32[1,24,11,5] f32[24,1,1]:c", ""),
  ONE("PRelu one slope", "PRelu", "f32[1,9,5,5] f32[1]:c", ""),
  ONE("BatchNormalization", "BatchNormalization", "f32[2,58,5,7] f32[58]:c f32[58]:c f32[58]:c f32[58]:c+", "", LEAKY),
  ONE("BatchNormalization of a matrix", "BatchNormalization", "f32[3,9] f32[9]:c f32[9]:c f32[9]:c f32[9]:c+", ""),

  /* moving data */
  {.name = "copy f32", .op = "Copy", .domain = "fovea", .inputs = "f32[1,24,11,22]", .attributes = ""},
  {.name = "copy f32 image", .op = "Copy", .domain = "fovea", .inputs = "f32[1,3,320,320]", .attributes = "", BENCH},
  {.name = "copy u8", .op = "Copy", .domain = "fovea", .inputs = "u8[2,58,11,40]", .attributes = ""},
  {.name = "copy one channel", .op = "Copy", .domain = "fovea", .inputs = "f32[1,1,5,5]", .attributes = ""},
  ONE("Transpose to channels last", "Transpose", "f32[1,85,11,7]", "perm=0,2,3,1"),
  ONE("Transpose to channels first", "Transpose", "f32[1,11,7,85]", "perm=0,3,1,2"),
  ONE("Transpose a matrix", "Transpose", "f32[33,58]", "perm=1,0"),
  ONE("Transpose bytes", "Transpose", "u8[3,40,41]", "perm=0,2,1"),
  ONE("Transpose of five", "Transpose", "f32[1,3,5,4,4]", "perm=0,1,3,4,2"),
  ONE("Concat channels", "Concat", "f32[1,24,5,11] f32[1,9,5,11] f32[1,1,5,11]", "axis=1"),
  ONE("Concat lines", "Concat", "f32[1,100,7] f32[1,25,7]", "axis=1"),
  ONE("Concat last", "Concat", "u8[1,3,4,4] u8[1,3,4,5]", "axis=3"),
  ONE("Split", "Split", "f32[1,116,5,5]", "axis=1"),
  ONE("Slice", "Slice", "f32[1,58,12,12] i64[2]=1,1 i64[2]=12,9 i64[2]=2,3 i64[2]=2,1", ""),
  ONE("Slice backward", "Slice", "f32[1,8,5,5] i64[1]=-1 i64[1]=-100 i64[1]=3 i64[1]=-1", ""),
  ONE("Reshape", "Reshape", "f32[1,8,6,5] i64[3]=1,8,30", ""),
  ONE("Pad", "Pad", "f32[1,9,5,7] i64[8]=0,0,1,2,0,0,3,0", ""),
  ONE("Pad channels with a value", "Pad", "f32[1,9,5,7] i64[8]=0,2,0,0,0,1,0,1 f32[]=0.5", ""),
  {.name = "shuffle 2", .op = "ChannelShuffle", .domain = "fovea", .inputs = "f32[1,116,11,11]", .attributes = "groups=2", BENCH},
  {.name = "shuffle 2, 58", .op = "ChannelShuffle", .domain = "fovea", .inputs = "f32[1,58,5,5]", .attributes = "groups=2"},
  {.name = "shuffle 2, bytes", .op = "ChannelShuffle", .domain = "fovea", .inputs = "u8[1,116,5,5]", .attributes = "groups=2"},
  {.name = "shuffle 3", .op = "ChannelShuffle", .domain = "fovea", .inputs = "f32[1,24,5,5]", .attributes = "groups=3"},
  {.name = "concat and shuffle", .op = "ConcatShuffle", .domain = "fovea", .inputs = "f32[1,29,5,7] f32[1,29,5,7]", .attributes = ""},
};
const int kernel_case_count = sizeof kernel_cases / sizeof kernel_cases[0];
