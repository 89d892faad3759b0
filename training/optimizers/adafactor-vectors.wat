;; Adafactor's arithmetic on vectors, whose second moments are not factored (see adafactor.ts).
;; Pointers are byte offsets into the memory, 16-byte aligned; counts are elements, multiples of 4.
(module
  (import "state" "memory" (memory 1 65536 shared))

  ;; v = β v + rate × (g² + ε), g = gradient × scale;  *square = Σ ((1 / √v) × g)² as float64
  (func (export "adafactor_vector")
    (param $gradient i32) (param $v i32) (param $count i32)
    (param $scale f32) (param $epsilon f32) (param $beta2 f32) (param $rate f32)
    (param $square i32)
    (local $end i32) (local $g v128) (local $v1 v128) (local $u v128)
    (local $low v128) (local $high v128) (local $sum v128)
    (local.set $end (i32.add (local.get $v) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $v) (local.get $end)))
        (local.set $g
          (f32x4.mul (v128.load (local.get $gradient)) (f32x4.splat (local.get $scale))))
        (local.set $v1
          (f32x4.add
            (f32x4.mul (v128.load (local.get $v)) (f32x4.splat (local.get $beta2)))
            (f32x4.mul
              (f32x4.splat (local.get $rate))
              (f32x4.add
                (f32x4.mul (local.get $g) (local.get $g))
                (f32x4.splat (local.get $epsilon))))))
        (v128.store (local.get $v) (local.get $v1))
        (local.set $u
          (f32x4.mul
            (f32x4.div (v128.const f32x4 1 1 1 1) (f32x4.sqrt (local.get $v1)))
            (local.get $g)))
        (local.set $low (f64x2.promote_low_f32x4 (local.get $u)))
        (local.set $high
          (f64x2.promote_low_f32x4
            (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $u) (local.get $u))))
        (local.set $sum
          (f64x2.add
            (local.get $sum)
            (f64x2.add
              (f64x2.mul (local.get $low) (local.get $low))
              (f64x2.mul (local.get $high) (local.get $high)))))
        (local.set $gradient (i32.add (local.get $gradient) (i32.const 16)))
        (local.set $v (i32.add (local.get $v) (i32.const 16)))
        (br $next)))
    (f64.store
      (local.get $square)
      (f64.add (f64x2.extract_lane 0 (local.get $sum)) (f64x2.extract_lane 1 (local.get $sum)))))

  ;; p = (p + decay × p) - (((1 / √v) × g) / divisor) × lr
  (func (export "adafactor_apply_vector")
    (param $p i32) (param $gradient i32) (param $v i32) (param $count i32)
    (param $scale f32) (param $divisor f32) (param $lr f32) (param $decay f32)
    (local $end i32) (local $x v128)
    (local.set $end (i32.add (local.get $p) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $p) (local.get $end)))
        (local.set $x (v128.load (local.get $p)))
        (v128.store
          (local.get $p)
          (f32x4.sub
            (f32x4.add (local.get $x) (f32x4.mul (f32x4.splat (local.get $decay)) (local.get $x)))
            (f32x4.mul
              (f32x4.div
                (f32x4.mul
                  (f32x4.div (v128.const f32x4 1 1 1 1) (f32x4.sqrt (v128.load (local.get $v))))
                  (f32x4.mul (v128.load (local.get $gradient)) (f32x4.splat (local.get $scale))))
                (f32x4.splat (local.get $divisor)))
              (f32x4.splat (local.get $lr)))))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (local.set $gradient (i32.add (local.get $gradient) (i32.const 16)))
        (local.set $v (i32.add (local.get $v) (i32.const 16)))
        (br $next)))))
