#!/bin/sh
# Makes the folders that training/recipes/street*.yaml learn from and are measured on, below build/data, and build/cutouts.
# Usage: models/fovea-street/make-data.sh MEDIA nanodet_m_320.onnx [SEGMENTER.tflite LABELS.txt]
# MEDIA holds train/NAME/ (pictures, some with YOLO labels) and clips/; README.md beside this file says which and under what terms. Takes about ten minutes on two cores.
# With a segmenter (DeepLab v3 of Pascal VOC's classes) persons are cut out along its outlines, as they were for the weights that ship.
set -eu
[ $# -eq 2 ] || [ $# -eq 4 ] && [ -d "$1/train" ] && [ -r "$2" ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
media=$(realpath "$1") teacher=$(realpath "$2") segmenter=${3:+--segmenter $(realpath "$3") --segmenter-labels $(realpath "$4")}
cd "$(dirname "$0")/../.."
out=build/data
mkdir -p $out
ln -sfn "$teacher" $out/nanodet_m_320.onnx
label() { python3 training/label.py --teacher "$teacher" --classes person,bicycle,car,motorcycle,bus,truck "$@"; }

# Names of labels that upstream gave, in our words; what they leave out the teacher fills in.
renamed() {
  case $1 in
    open_images_vehicles) echo "--rename Car=car,Bus=bus,Motorcycle=motorcycle,Truck=truck,Ambulance=truck" ;;
    carla_synthetic) echo "--rename vehicle=car,bike=bicycle,motobike=motorcycle" ;;
  esac
}

for folder in "$media"/train/*/; do # every fifth picture is kept apart
  name=$(basename "$folder")
  label "$folder" --output $out/train/$name --skip-every 5 $(renamed $name)
  label "$folder" --output $out/held/$name --only-every 5 $(renamed $name)
done
for clip in one-by-one-person-detection.mp4:0.3 parking_lot_scan.mp4:0.2 person-bicycle-car_preview.mp4:0.1 asl_walk.mkv:0.5; do
  name=${clip%:*}
  label "$media/clips/$name" --every ${clip#*:} --output $out/train/clip-${name%.*}
done
python3 training/render.py pictures --count 3000 --seed 11 --output $out/train/rendered
python3 training/render.py pictures --count 200 --seed 12 --output $out/held/rendered
python3 training/render.py pictures --count 1800 --seed 21 --busy 1.5 --reach 50 --traffic bicycle=8,motorcycle=6,car=5,bus=2,truck=2 --output $out/train/two-wheelers

python3 training/resize_input.py "$teacher" --input 384x224 --output $out/nanodet_m_384x224.onnx
cp configs/models/nanodet_m_320.yaml $out/nanodet_m_384x224.yaml # its description
python3 training/cutouts.py $(ls -d $out/train/* | grep -v -e /rendered -e /two-wheelers -e /carla) --classes person --teacher "$teacher" $segmenter --output build/cutouts
