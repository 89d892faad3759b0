;; Arithmetic on the training state, four float32 at a time.
;; Pointers are byte offsets into the memory, 16-byte aligned; counts are elements, multiples of 4.
;; No sum goes across elements but in square_sum, whose order is fixed: so the bits do not depend
;; on how the elements are shared out among threads.
(module
  (import "state" "memory" (memory 1 65536 shared))

  ;; One update of AdamW with decoupled weight decay, in torch's order of operations:
  ;;   g = gradient × scale                       (scale: the clipping coefficient)
  ;;   p = p × keep                               (keep = 1 - lr × weight_decay)
  ;;   m = m + (1 - β1) × (g - m)
  ;;   v = β2 × v + ((1 - β2) × g) × g
  ;;   p = p + (step × m) / (√v / root + ε)       (step = -lr / (1 - β1^t), root = √(1 - β2^t))
  ;; Source: torch.optim.adamw, _single_tensor_adam.
  (func $adamw (export "adamw")
    (param $p i32) (param $m i32) (param $v i32) (param $gradient i32) (param $count i32)
    (param $scale f32) (param $keep f32) (param $rate1 f32) (param $beta2 f32) (param $rate2 f32)
    (param $root f32) (param $epsilon f32) (param $step f32)
    (local $end i32) (local $g v128) (local $m1 v128) (local $v1 v128)
    (local.set $end (i32.add (local.get $p) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $p) (local.get $end)))
        (local.set $g
          (f32x4.mul (v128.load (local.get $gradient)) (f32x4.splat (local.get $scale))))
        (local.set $m1 (v128.load (local.get $m)))
        (local.set $m1
          (f32x4.add
            (local.get $m1)
            (f32x4.mul
              (f32x4.splat (local.get $rate1))
              (f32x4.sub (local.get $g) (local.get $m1)))))
        (local.set $v1
          (f32x4.add
            (f32x4.mul (v128.load (local.get $v)) (f32x4.splat (local.get $beta2)))
            (f32x4.mul
              (f32x4.mul (f32x4.splat (local.get $rate2)) (local.get $g))
              (local.get $g))))
        (v128.store (local.get $m) (local.get $m1))
        (v128.store (local.get $v) (local.get $v1))
        (v128.store
          (local.get $p)
          (f32x4.add
            (f32x4.mul (v128.load (local.get $p)) (f32x4.splat (local.get $keep)))
            (f32x4.div
              (f32x4.mul (f32x4.splat (local.get $step)) (local.get $m1))
              (f32x4.add
                (f32x4.div (f32x4.sqrt (local.get $v1)) (f32x4.splat (local.get $root)))
                (f32x4.splat (local.get $epsilon))))))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (local.set $m (i32.add (local.get $m) (i32.const 16)))
        (local.set $v (i32.add (local.get $v) (i32.const 16)))
        (local.set $gradient (i32.add (local.get $gradient) (i32.const 16)))
        (br $next))))

  ;; The same for a table, whose rows without gradients and moments only decay: one byte a row at
  ;; `live` is 0 for those.
  (func (export "adamw_rows")
    (param $p i32) (param $m i32) (param $v i32) (param $gradient i32)
    (param $live i32) (param $rows i32) (param $columns i32)
    (param $scale f32) (param $keep f32) (param $rate1 f32) (param $beta2 f32) (param $rate2 f32)
    (param $root f32) (param $epsilon f32) (param $step f32)
    (local $end i32) (local $bytes i32)
    (local.set $end (i32.add (local.get $live) (local.get $rows)))
    (local.set $bytes (i32.shl (local.get $columns) (i32.const 2)))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $live) (local.get $end)))
        (if (i32.load8_u (local.get $live))
          (then
            (call $adamw
              (local.get $p) (local.get $m) (local.get $v) (local.get $gradient)
              (local.get $columns)
              (local.get $scale) (local.get $keep) (local.get $rate1) (local.get $beta2)
              (local.get $rate2) (local.get $root) (local.get $epsilon) (local.get $step)))
          (else
            (if (f32.ne (local.get $keep) (f32.const 1))
              (then
                (call $scale (local.get $p) (local.get $columns) (local.get $keep))))))
        (local.set $p (i32.add (local.get $p) (local.get $bytes)))
        (local.set $m (i32.add (local.get $m) (local.get $bytes)))
        (local.set $v (i32.add (local.get $v) (local.get $bytes)))
        (local.set $gradient (i32.add (local.get $gradient) (local.get $bytes)))
        (local.set $live (i32.add (local.get $live) (i32.const 1)))
        (br $next))))

  ;; x = x × factor
  (func $scale (param $x i32) (param $count i32) (param $factor f32)
    (local $end i32)
    (local.set $end (i32.add (local.get $x) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $x) (local.get $end)))
        (v128.store
          (local.get $x)
          (f32x4.mul (v128.load (local.get $x)) (f32x4.splat (local.get $factor))))
        (local.set $x (i32.add (local.get $x) (i32.const 16)))
        (br $next))))

  ;; One update of gradient descent with coupled weight decay:
  ;;   p = p + step × (g × scale + decay × p)     (step = -lr)
  ;; Source: torch.optim.sgd, _single_tensor_sgd.
  (func (export "sgd")
    (param $p i32) (param $gradient i32) (param $count i32)
    (param $scale f32) (param $decay f32) (param $step f32)
    (local $end i32) (local $x v128)
    (local.set $end (i32.add (local.get $p) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $p) (local.get $end)))
        (local.set $x (v128.load (local.get $p)))
        (v128.store
          (local.get $p)
          (f32x4.add
            (local.get $x)
            (f32x4.mul
              (f32x4.splat (local.get $step))
              (f32x4.add
                (f32x4.mul (v128.load (local.get $gradient)) (f32x4.splat (local.get $scale)))
                (f32x4.mul (f32x4.splat (local.get $decay)) (local.get $x))))))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (local.set $gradient (i32.add (local.get $gradient) (i32.const 16)))
        (br $next))))

  ;; The same with momentum:
  ;;   g = gradient × scale + decay × p
  ;;   b = momentum × b + fresh × g               (fresh = 1 - dampening, 1 in the first step)
  ;;   p = p + step × (direct × g + inert × b)    (Nesterov: 1 and momentum; else 0 and 1)
  (func (export "sgd_momentum")
    (param $p i32) (param $b i32) (param $gradient i32) (param $count i32)
    (param $scale f32) (param $decay f32) (param $momentum f32) (param $fresh f32)
    (param $direct f32) (param $inert f32) (param $step f32)
    (local $end i32) (local $x v128) (local $g v128) (local $b1 v128)
    (local.set $end (i32.add (local.get $p) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $p) (local.get $end)))
        (local.set $x (v128.load (local.get $p)))
        (local.set $g
          (f32x4.add
            (f32x4.mul (v128.load (local.get $gradient)) (f32x4.splat (local.get $scale)))
            (f32x4.mul (f32x4.splat (local.get $decay)) (local.get $x))))
        (local.set $b1
          (f32x4.add
            (f32x4.mul (v128.load (local.get $b)) (f32x4.splat (local.get $momentum)))
            (f32x4.mul (f32x4.splat (local.get $fresh)) (local.get $g))))
        (v128.store (local.get $b) (local.get $b1))
        (v128.store
          (local.get $p)
          (f32x4.add
            (local.get $x)
            (f32x4.mul
              (f32x4.splat (local.get $step))
              (f32x4.add
                (f32x4.mul (f32x4.splat (local.get $direct)) (local.get $g))
                (f32x4.mul (f32x4.splat (local.get $inert)) (local.get $b1))))))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (local.set $b (i32.add (local.get $b) (i32.const 16)))
        (local.set $gradient (i32.add (local.get $gradient) (i32.const 16)))
        (br $next))))

  ;; total = total + part
  (func (export "accumulate") (param $total i32) (param $part i32) (param $count i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $total) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $total) (local.get $end)))
        (v128.store
          (local.get $total)
          (f32x4.add (v128.load (local.get $total)) (v128.load (local.get $part))))
        (local.set $total (i32.add (local.get $total) (i32.const 16)))
        (local.set $part (i32.add (local.get $part) (i32.const 16)))
        (br $next))))

  ;; *sum = Σ x² as float64: even and odd pairs are summed apart, then added.
  (func (export "square_sum") (param $x i32) (param $count i32) (param $sum i32)
    (call $square_sum_rows
      (local.get $x) (local.get $count) (local.get $sum)
      (i32.const 0) (local.get $count) (local.get $count)))

  ;; The same, bit for bit, of part of a table whose rows are zeros where the byte at `live` is 0:
  ;; adding zeros changes no sum. `left` elements are of the first row. At 0 no row is left out.
  (func $square_sum_rows (export "square_sum_rows")
    (param $x i32) (param $count i32) (param $sum i32)
    (param $live i32) (param $columns i32) (param $left i32)
    (local $end i32) (local $stop i32) (local $low v128) (local $high v128)
    (local $a v128) (local $b v128)
    (local.set $end (i32.add (local.get $x) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $row
        (br_if $done (i32.ge_u (local.get $x) (local.get $end)))
        (local.set $stop (i32.add (local.get $x) (i32.shl (local.get $left) (i32.const 2))))
        (if (i32.gt_u (local.get $stop) (local.get $end))
          (then (local.set $stop (local.get $end))))
        (local.set $left (local.get $columns))
        (if (i32.ne (local.get $live) (i32.const 0))
          (then
            (if (i32.eqz (i32.load8_u (local.get $live)))
              (then (local.set $x (local.get $stop))))
            (local.set $live (i32.add (local.get $live) (i32.const 1)))))
        (block $summed
          (loop $next
            (br_if $summed (i32.eq (local.get $x) (local.get $stop)))
            (local.set $b (v128.load (local.get $x)))
            (local.set $a (f64x2.promote_low_f32x4 (local.get $b)))
            (local.set $b
              (f64x2.promote_low_f32x4
                (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7
                  (local.get $b) (local.get $b))))
            (local.set $low (f64x2.add (local.get $low) (f64x2.mul (local.get $a) (local.get $a))))
            (local.set $high
              (f64x2.add (local.get $high) (f64x2.mul (local.get $b) (local.get $b))))
            (local.set $x (i32.add (local.get $x) (i32.const 16)))
            (br $next)))
        (br $row)))
    (local.set $low (f64x2.add (local.get $low) (local.get $high)))
    (f64.store
      (local.get $sum)
      (f64.add (f64x2.extract_lane 0 (local.get $low)) (f64x2.extract_lane 1 (local.get $low))))))
